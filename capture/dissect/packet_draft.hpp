// SPDX-License-Identifier: GPL-3.0-or-later
// A packet record while it is made: the dissector fills it, the fragment cache may complete its key, and the run loop
// hashes it and copies it into a ring. Lives on the capture thread. All it holds is its own, but for the quotation or
// payload at its end, which lies in the frame: a fragment that waits for its first one has neither.
#pragma once

#include "capture/dissect/octets.hpp"
#include "common/stream/records/packet_record.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace orbweaver {

/// What a datagram carries behind its IP headers; in the frame.
struct Transport {
  const std::uint8_t* octets;
  std::uint32_t available; ///< that were captured and belong to the datagram
  std::uint32_t length;    ///< by the datagram's length
};

/// What the fragment cache has to do with a packet.
enum class FragmentPart : std::uint8_t {
  none,   ///< nothing: not a fragment, or one whose key needs no ports
  first,  ///< carries the ports of its datagram: later fragments will need them
  later,  ///< needs the ports of its datagram's first fragment
  quoted, ///< an ICMP error that quotes a later fragment
};

/// What a packet that has a flow says of itself and cannot be. Each is counted under its name.
namespace Fault {
inline constexpr std::uint8_t ip_length = 0x01;  ///< its datagram is longer than the frame was on the wire
inline constexpr std::uint8_t tcp_header = 0x02; ///< TCP's header is shorter than can be, or longer than the datagram
inline constexpr std::uint8_t udp_length = 0x04; ///< UDP's length is shorter than its header, or beyond the datagram
} // namespace Fault

/// IP protocols whose flow key has ports: TCP, UDP, SCTP, UDP-Lite.
[[nodiscard]] constexpr bool protocol_has_ports(std::uint8_t protocol) noexcept {
  return protocol == 6 || protocol == 17 || protocol == 132 || protocol == 136;
}

/// Octets of all blocks at their largest, without quotation and payload themselves.
inline constexpr std::uint32_t max_block_octets = (2 + max_key_extension) + sizeof(EthernetHeader) +
                                                  (2 + max_vlan_tags * sizeof(VlanTag)) + (2 + max_tunnel_octets) + 4 +
                                                  16 + (2 + max_tcp_options) + 2 + 3;

/// The largest packet record that capture writes: IPv6 addresses, all blocks, and 65,535 octets of payload.
inline constexpr std::uint32_t max_packet_record_bytes = sizeof(PacketRecord) + 32 + max_block_octets + 65'535;

struct PacketDraft {
  PacketRecord record;
  std::uint8_t addresses[32];            ///< directly behind the record, as in a ring; 8 or 32 octets are in use
  std::uint8_t blocks[max_block_octets]; ///< as they follow the addresses, but for the last one's `carried`
  std::uint32_t blocks_length;
  std::uint32_t carried_length;
  const std::uint8_t* carried;    ///< octets of quotation or payload, in the frame
  std::uint32_t fragment_id;      ///< the datagram's identification, where fragment_part is not none
  std::uint8_t fragment_protocol; ///< IPv4: its protocol field; IPv6: 0 (RFC 8200, 4.5: it may differ by fragment)
  FragmentPart fragment_part;
  Transport transport;
  bool is_later_fragment; ///< whatever is in it is data
  std::uint8_t faults;    ///< Fault

  /// An empty draft of a packet captured then; addresses and blocks are not written.
  void begin(std::uint64_t time_ns) noexcept {
    record = PacketRecord{};
    record.time_ns = time_ns;
    record.header.kind = RecordKind::packet;
    blocks_length = carried_length = 0;
    fragment_part = FragmentPart::none;
    is_later_fragment = false;
    faults = 0;
  }

  // Blocks are added in the order of their bits, each once.

  /// Adds a block of a fixed size.
  void add_block(std::uint16_t bit, const void* octets, std::uint32_t length) noexcept {
    record.blocks |= bit;
    std::memcpy(blocks + blocks_length, octets, length);
    blocks_length += length;
  }
  /// Adds a block that is a length and so many octets; none where there are none.
  void add_octets(std::uint16_t bit, const void* octets, std::uint32_t length) noexcept {
    if (length == 0)
      return;
    const auto told = static_cast<std::uint16_t>(length);
    add_block(bit, &told, sizeof told);
    std::memcpy(blocks + blocks_length, octets, length);
    blocks_length += length;
  }
  /// Adds what an ICMP error quotes, in the frame, or as much of it as a block holds.
  void carry_quotation(const std::uint8_t* octets, std::uint32_t length) noexcept {
    const auto told = carry(octets, std::min(length, 65'535u));
    add_block(PacketBlock::quotation, &told, sizeof told);
  }
  /// Adds transport payload in the frame, of the kind with that number, up to its limit.
  void carry_payload(std::uint8_t kind, const std::uint8_t* octets, std::uint32_t length) noexcept {
    const auto told = carry(octets, std::min(length, payload_kinds[kind - 1u].limit));
    add_block(PacketBlock::payload, &told, sizeof told);
    blocks[blocks_length++] = kind;
  }

  /// What the key has beyond head and addresses.
  [[nodiscard]] std::span<const std::uint8_t> key_extension() const noexcept {
    if (!record.key.extended)
      return {};
    return {blocks + sizeof(std::uint16_t), read_block<std::uint16_t>(blocks)};
  }

  /// Octets of the whole record.
  [[nodiscard]] std::uint32_t length() const noexcept {
    return static_cast<std::uint32_t>(sizeof record) + addresses_length(record.key.version) + blocks_length +
           carried_length;
  }

  /// Writes the finished record, `record.header.length` octets, to `out`.
  void copy_to(void* out) const noexcept;

private:
  std::uint16_t carry(const std::uint8_t* octets, std::uint32_t length) noexcept {
    carried = octets;
    carried_length = length;
    return static_cast<std::uint16_t>(length);
  }
};
static_assert(offsetof(PacketDraft, addresses) == sizeof(PacketRecord));

inline void PacketDraft::copy_to(void* out) const noexcept {
  // Lengths that the compiler knows: for one that it does not, GCC emits a slow string move.
  auto* to = static_cast<std::uint8_t*>(out);
  std::memcpy(to, &record, sizeof record);
  to += sizeof record;
  if (record.key.version == 6)
    to = static_cast<std::uint8_t*>(std::memcpy(to, addresses, 32)) + 32;
  else
    to = static_cast<std::uint8_t*>(std::memcpy(to, addresses, 8)) + 8;
  if (record.blocks == 0) [[likely]]
    return;
  std::memcpy(to, blocks, blocks_length);
  if (carried_length)
    std::memcpy(to + blocks_length, carried, carried_length);
}

/// Gives the draft its canonical key: the lower endpoint (address, then port) first, and `from_high` accordingly.
/// `version` is that of the addresses. Where both endpoints are equal, `from_high` becomes `tie_is_high`.
template <std::uint8_t version>
inline void set_endpoints(PacketDraft& draft, const std::uint8_t* source, const std::uint8_t* destination,
                          std::uint16_t source_port, std::uint16_t destination_port,
                          bool tie_is_high = false) noexcept {
  bool from_high;
  if constexpr (version == 4) {
    const std::uint64_t from = std::uint64_t{be32(source)} << 16 | source_port;
    const std::uint64_t to = std::uint64_t{be32(destination)} << 16 | destination_port;
    const std::uint64_t low = std::min(from, to), high = std::max(from, to);
    from_high = from + tie_is_high > to;
    put_be32(draft.addresses, static_cast<std::uint32_t>(low >> 16));
    put_be32(draft.addresses + 4, static_cast<std::uint32_t>(high >> 16));
    draft.record.key.ports[0] = static_cast<std::uint16_t>(low);
    draft.record.key.ports[1] = static_cast<std::uint16_t>(high);
  } else {
    const std::uint64_t source_top = be64(source), destination_top = be64(destination);
    const std::uint64_t source_rest = be64(source + 8), destination_rest = be64(destination + 8);
    from_high = source_top != destination_top     ? source_top > destination_top
                : source_rest != destination_rest ? source_rest > destination_rest
                                                  : source_port + tie_is_high > destination_port;
    std::memcpy(draft.addresses, from_high ? destination : source, 16);
    std::memcpy(draft.addresses + 16, from_high ? source : destination, 16);
    draft.record.key.ports[0] = from_high ? destination_port : source_port;
    draft.record.key.ports[1] = from_high ? source_port : destination_port;
  }
  draft.record.key.version = version;
  draft.record.bits = static_cast<std::uint16_t>((draft.record.bits & ~PacketBits::from_high) |
                                                 (from_high ? PacketBits::from_high : 0));
}

} // namespace orbweaver
