// SPDX-License-Identifier: GPL-3.0-or-later
// A packet as it crosses from capture to an observer: what the chains need, dissected, in host byte order.
// A plain IPv4 segment takes 64 octets, an IPv6 segment 88; what only some chains need follows in blocks, where one of
// them was chosen.
//
// The flow key is canonical: of the two endpoints (address, port) the lower one comes first, whichever sent the packet;
// PacketBits::from_high says that the sender was the second one. So both directions have equal keys and equal hashes.
#pragma once

#include "common/stream/record.hpp"
#include "common/stream/records/needs.hpp"
#include "common/stream/records/packet_blocks.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace orbweaver {

/// The head of a flow key; the addresses follow it at the end of a PacketRecord. Compared as one 64-bit word.
struct FlowKeyHead {
  std::uint16_t
      ports[2]; ///< of the lower and the higher endpoint, host order; without ports 0, or both an ICMP identifier
  std::uint8_t protocol;  ///< IANA protocol number, after IPv6 extension headers
  std::uint8_t version;   ///< 4 or 6
  std::uint8_t has_ports; ///< 1: the key has ports (TCP, UDP, SCTP, UDP-Lite), 0: a three-tuple
  std::uint8_t extended;  ///< 1: the block key_extension is part of the key, 0: it has none
};
static_assert(sizeof(FlowKeyHead) == 8);

namespace PacketBits {
inline constexpr std::uint16_t from_high = 0x01;     ///< sent by the key's second endpoint
inline constexpr std::uint16_t fragment = 0x02;      ///< a fragment, first or later
inline constexpr std::uint16_t icmp_rest = 0x04;     ///< ICMP: icmp_rest is valid (its octets were captured)
inline constexpr std::uint16_t zero_checksum = 0x08; ///< UDP: the checksum field is 0
/// What says most of a transport header is there: TCP's flags, UDP's checksum, ICMP's type and code.
inline constexpr std::uint16_t transport = 0x10;
/// An ICMP error: the key is that of the quoted packet and the packet counts as sent by the quoted packet's receiver.
inline constexpr std::uint16_t icmp_error = 0x20;
// As in the IPv4 header's octet with the flags, so that both are taken from there at once.
inline constexpr std::uint16_t dont_fragment = 0x40; ///< IPv4: DF (RFC 791, 3.1)
inline constexpr std::uint16_t evil = 0x80;          ///< IPv4: the reserved bit (RFC 3514)
// TCP: those fields are there; a whole header has all of them.
inline constexpr std::uint16_t sequence = 0x100;
inline constexpr std::uint16_t acknowledgement = 0x200;
inline constexpr std::uint16_t window = 0x400;
inline constexpr std::uint16_t whole_tcp = transport | sequence | acknowledgement | window;
} // namespace PacketBits

/// The fixed part. The addresses follow (2 × 4 or 2 × 16 octets, network order, lower endpoint first), so that key and
/// addresses are one run of octets, and then the blocks. Fields of TCP are there where key.protocol is 6, those of ICMP
/// where it is 1 (58 for IPv6); an ICMP error (PacketBits::icmp_error) has ICMP's, whatever the key says. Of a header
/// that ends early, because its datagram does or the capture, each field is there or not by its own octets, and
/// PacketBits say which. What is not there is 0 or of the other protocol.
struct PacketRecord {
  RecordHeader header;
  std::uint64_t time_ns;   ///< since the epoch
  std::uint32_t flow_hash; ///< lower half of the XXH3 of the key, keyed for the session (the upper picks the observer)
  std::uint32_t ip_length; ///< octets of the datagram by its length field; wire length less link header where that is 0
  std::uint32_t payload_length; ///< octets of transport payload by the length fields, however much was captured
  union {
    std::uint32_t sequence;  ///< TCP (RFC 9293, 3.1)
    std::uint32_t icmp_rest; ///< ICMP: octets 4–7, see PacketView::icmp_rest()
  };
  std::uint32_t acknowledgement; ///< TCP (RFC 9293, 3.1)
  union {
    std::uint16_t tcp_flags; ///< TCP: FIN (bit 0) to CWR (bit 7), AE (bit 8; RFC 9768, 3.1)
    std::uint8_t icmp_type;  ///< ICMP (RFC 792; RFC 4443, 2.1)
  };
  union {
    std::uint16_t tcp_window; ///< TCP: as it stands in the header, without the scale (RFC 9293, 3.1; RFC 7323, 2)
    std::uint8_t icmp_code;   ///< ICMP
  };
  std::uint16_t ip_id; ///< IPv4: identification (RFC 791, 3.1; it says something of fragments, RFC 6864); IPv6: 0
  std::uint8_t traffic_class; ///< IPv4 TOS or IPv6 traffic class: DSCP << 2 | ECN (RFC 2474, 3; RFC 3168, 5)
  std::uint8_t ttl;           ///< or hop limit
  std::uint16_t bits;         ///< PacketBits
  std::uint16_t blocks;       ///< PacketBlock: which ones follow
  FlowKeyHead key;
};
static_assert(sizeof(PacketRecord) == 56);
static_assert(offsetof(PacketRecord, acknowledgement) == offsetof(PacketRecord, sequence) + 4);
static_assert(offsetof(PacketRecord, tcp_window) == offsetof(PacketRecord, tcp_flags) + 2);
static_assert(offsetof(PacketRecord, key) + sizeof(FlowKeyHead) == sizeof(PacketRecord));
static_assert(sizeof(PacketRecord) + addresses_length(4) == 64, "a plain IPv4 segment is one cache line of the ring");
static_assert(sizeof(PacketRecord) + addresses_length(6) == 88);

/// A packet record where it lies, with its variable part. Cheap to copy; valid until the record is released.
class PacketView {
public:
  explicit PacketView(const PacketRecord* record) noexcept : record_(record) {}

  const PacketRecord* operator->() const noexcept { return record_; }
  [[nodiscard]] const PacketRecord& record() const noexcept { return *record_; }

  [[nodiscard]] bool from_high() const noexcept { return record_->bits & PacketBits::from_high; }
  [[nodiscard]] bool is_icmp_error() const noexcept { return record_->bits & PacketBits::icmp_error; }
  /// TCP's flags, UDP's zero_checksum, ICMP's type and code are there.
  [[nodiscard]] bool has_transport() const noexcept { return record_->bits & PacketBits::transport; }
  /// The same of other fields of TCP, which may be cut off where the flags are not, or the other way round.
  [[nodiscard]] bool has_sequence() const noexcept { return record_->bits & PacketBits::sequence; }
  [[nodiscard]] bool has_acknowledgement() const noexcept { return record_->bits & PacketBits::acknowledgement; }
  [[nodiscard]] bool has_window() const noexcept { return record_->bits & PacketBits::window; }

  /// Both addresses, lower endpoint first, network order.
  [[nodiscard]] const std::uint8_t* addresses() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(record_ + 1);
  }

  /// Octets 4–7 of an ICMP message as one number: an error's unused octets, next-hop MTU (RFC 1191, section 4; RFC
  /// 4443, 3.2), pointer (RFC 792; RFC 4443, 3.4) or gateway (RFC 792); an echo's identifier and sequence number.
  [[nodiscard]] std::optional<std::uint32_t> icmp_rest() const noexcept {
    return record_->bits & PacketBits::icmp_rest ? std::optional(record_->icmp_rest) : std::nullopt;
  }

  /// What the key has beyond its head and the addresses; empty where it is not extended.
  [[nodiscard]] std::span<const std::uint8_t> key_extension() const noexcept {
    return octets_of(PacketBlock::key_extension);
  }

  // What follows travels where a chain asked for it (Need), and is empty where it does not or the packet has none.

  /// Of Ethernet frames.
  [[nodiscard]] std::optional<EthernetHeader> ethernet() const noexcept {
    const std::uint8_t* const at = block(PacketBlock::ethernet);
    return at ? std::optional(read_block<EthernetHeader>(at)) : std::nullopt;
  }
  /// The outer max_vlan_tags of them.
  [[nodiscard]] VlanTags vlan_tags() const noexcept { return VlanTags(octets_of(PacketBlock::vlan_tags)); }
  /// Calls `visit(TunnelLayer)` for the outer max_tunnel_layers layers in which the packet was carried, outer first.
  template <typename Visit>
  void for_each_tunnel(Visit&& visit) const noexcept {
    for_each_tunnel_layer(octets_of(PacketBlock::tunnels), visit);
  }
  /// Of IPv6.
  [[nodiscard]] std::optional<std::uint32_t> flow_label() const noexcept {
    const std::uint8_t* const at = block(PacketBlock::flow_label);
    return at ? std::optional(read_block<std::uint32_t>(at)) : std::nullopt;
  }
  /// The address of the router or host that sent an ICMP error: 4 or 16 octets, network order.
  [[nodiscard]] std::span<const std::uint8_t> icmp_sender() const noexcept {
    const std::uint8_t* const at = block(PacketBlock::icmp_sender);
    return at ? std::span(at, addresses_length(record_->key.version) / 2) : std::span<const std::uint8_t>{};
  }
  /// TCP options: of a SYN, or of every segment, as was asked; may be cut short by the snap length.
  [[nodiscard]] std::span<const std::uint8_t> tcp_options() const noexcept {
    return octets_of(PacketBlock::tcp_options);
  }
  /// What an ICMP error quotes, from the IP header on.
  [[nodiscard]] std::span<const std::uint8_t> quotation() const noexcept { return octets_of(PacketBlock::quotation); }
  /// The transport payload where it is of that kind: `packet.payload("dns")`.
  [[nodiscard]] std::span<const std::uint8_t> payload(PayloadName kind) const noexcept {
    return payload_kind() == kind.number() ? payload() : std::span<const std::uint8_t>{};
  }
  /// The transport payload, of whatever kind.
  [[nodiscard]] std::span<const std::uint8_t> payload() const noexcept {
    const std::uint8_t* const at = block(PacketBlock::payload);
    return at ? std::span(at + 3, read_block<std::uint16_t>(at)) : std::span<const std::uint8_t>{};
  }
  /// The number of its kind (PayloadName::number); 0: none travels.
  [[nodiscard]] std::uint8_t payload_kind() const noexcept {
    const std::uint8_t* const at = block(PacketBlock::payload);
    return at ? at[2] : std::uint8_t{0};
  }

private:
  /// The start of a block, or nullptr.
  [[nodiscard]] const std::uint8_t* block(std::uint16_t bit) const noexcept {
    if (!(record_->blocks & bit))
      return nullptr;
    const std::uint8_t* const blocks = addresses() + addresses_length(record_->key.version);
    return blocks + octets_before(bit, record_->blocks, record_->key.version, blocks);
  }
  /// The content of a block that is a length and so many octets.
  [[nodiscard]] std::span<const std::uint8_t> octets_of(std::uint16_t bit) const noexcept {
    const std::uint8_t* const at = block(bit);
    return at ? std::span(at + 2, read_block<std::uint16_t>(at)) : std::span<const std::uint8_t>{};
  }

  const PacketRecord* record_;
};

/// Whether those `octets` are the blocks that the record announces, no more and no less, each within its bounds.
[[nodiscard]] bool packet_blocks_valid(const PacketRecord& record, std::span<const std::uint8_t> octets) noexcept;

/// Whether a record of `length` octets and kind `packet` is what its fields say: for a consumer, which trusts nothing.
/// The reader of the stream has made a copy of it, as long as its header says.
[[nodiscard]] inline bool packet_record_valid(std::uint32_t length, const RecordHeader* copy) noexcept {
  if (length < sizeof(PacketRecord)) [[unlikely]]
    return false;
  const auto& record = *reinterpret_cast<const PacketRecord*>(copy);
  // Without a branch between the two versions, which nobody can predict.
  const std::uint32_t version = record.key.version;
  const std::uint32_t plain = sizeof record + addresses_length(4) + (version & 2) * 12;
  static_assert(addresses_length(4) + (6 & 2) * 12 == addresses_length(6));
  if ((version | 2) != 6 || length < plain) [[unlikely]]
    return false;
  if (record.blocks == 0) [[likely]]
    return length == plain && record.key.extended == 0;
  const auto* const octets = reinterpret_cast<const std::uint8_t*>(copy);
  return packet_blocks_valid(record, {octets + plain, octets + length});
}
[[nodiscard]] inline bool packet_record_valid(const RecordHeader* copy) noexcept {
  return packet_record_valid(copy->length, copy);
}

} // namespace orbweaver
