// SPDX-License-Identifier: GPL-3.0-or-later
// The dissector's short way for what nearly all packets are: Ethernet, IP without options or extension headers, no
// fragment, TCP or UDP with its header captured, no blocks to carry along. Such a packet stays in registers until its
// record is written, once, where it lies in the ring: 270 instructions a packet instead of 400 by way of a draft. What
// it gives is exactly what dissect() gives; what it does not take is dissect()'s. Used on the capture thread.
#pragma once

#include "capture/dissect/flow_hash.hpp"
#include "capture/dissect/header_fields.hpp"
#include "capture/dissect/octets.hpp"
#include "capture/sources/source.hpp"
#include "common/stream/records/packet_record.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

namespace orbweaver {

template <std::uint8_t version>
class PlainPacket {
public:
  static constexpr std::uint32_t record_bytes = sizeof(PacketRecord) + addresses_length(version);

  /// Whether a frame may be one: Ethernet with this version's type.
  [[nodiscard]] static bool fits(const Frame& frame) noexcept {
    return frame.link == LinkType::ethernet && frame.captured_length >= link_octets + ip_octets + least_transport &&
           be16(frame.data + 12) == (version == 4 ? 0x0800 : 0x86dd);
  }

  /// Of one that fits: whether it says so, and so is no tunnel's.
  [[nodiscard]] static bool is_tcp(const Frame& frame) noexcept {
    return frame.data[link_octets + (version == 4 ? 9 : 6)] == 6;
  }

  /// Reads a frame that fits. False: it is not plain, and nothing of this may be used. `wanted`: Need.
  [[nodiscard]] bool read(const Frame& frame, std::uint32_t wanted) noexcept {
    const std::uint8_t* const ip = frame.data + link_octets;
    time_ns_ = frame.time_ns;
    if constexpr (version == 4) {
      if (ip[0] != 0x45 || (be16(ip + 6) & 0x3fff) != 0) [[unlikely]]
        return false;
      bits_ = ipv4_flag_bits(ip[6]);
      const std::uint32_t length_and_id = be32(ip + 2);
      ip_id_ = static_cast<std::uint16_t>(length_and_id);
      ip_length_ = length_and_id >> 16;
      protocol_ = ip[9];
      traffic_class_ = ip[1];
      ttl_ = ip[8];
    } else {
      if (ip[0] >> 4 != 6) [[unlikely]]
        return false;
      bits_ = 0;
      ip_id_ = 0;
      ip_length_ = be16(ip + 4) + ip_octets;
      protocol_ = ip[6];
      traffic_class_ = static_cast<std::uint8_t>(be16(ip) >> 4);
      ttl_ = ip[7];
    }
    // Among others where the length field is 0, as segmentation offload leaves it; or beyond the frame.
    if (ip_length_ < ip_octets + least_transport || link_octets + ip_length_ > frame.wire_length) [[unlikely]]
      return false;
    const std::uint32_t length = ip_length_ - ip_octets;
    const std::uint32_t available = std::min(frame.captured_length - link_octets - ip_octets, length);
    if (!(protocol_ == 6 ? read_tcp(ip + ip_octets, available, length, wanted)
                         : read_udp(ip + ip_octets, available, length, wanted)))
      return false;
    read_endpoints(ip);
    return true;
  }

  /// As flow_hash(), without the detour through memory.
  [[nodiscard]] std::uint64_t hash(std::uint64_t seed) const noexcept {
    return XXH3_64bits_withSeed(key_, key_bytes, seed);
  }

  /// Writes the record, but for its header; `place` has room for record_bytes.
  void write(std::uint64_t hash, std::byte* place) const noexcept {
    auto& record = *new (place) PacketRecord;
    record.time_ns = time_ns_;
    record.flow_hash = static_cast<std::uint32_t>(hash);
    record.ip_length = ip_length_;
    record.payload_length = payload_length_;
    std::memcpy(place + offsetof(PacketRecord, sequence), &numbers_, sizeof numbers_);
    std::memcpy(place + offsetof(PacketRecord, tcp_flags), &flags_and_window_, sizeof flags_and_window_);
    record.ip_id = ip_id_;
    record.traffic_class = traffic_class_;
    record.ttl = ttl_;
    record.bits = bits_;
    record.blocks = 0;
    std::memcpy(place + offsetof(PacketRecord, key), key_, key_bytes); // and the addresses, which follow it
  }

private:
  static constexpr std::uint32_t link_octets = 14;
  static constexpr std::uint32_t ip_octets = version == 4 ? 20 : 40;
  static constexpr std::uint32_t tcp_octets = 20;
  static constexpr std::uint32_t least_transport = 8; // UDP's header
  /// Blocks that every packet of this kind has where they are wanted.
  static constexpr std::uint32_t of_every_packet = Need::ethernet | (version == 6 ? Need::flow_label : 0);
  static constexpr std::size_t key_bytes = sizeof(FlowKeyHead) + addresses_length(version);

  /// `available` of the `length` octets behind the IP header were captured.
  bool read_tcp(const std::uint8_t* segment, std::uint32_t available, std::uint32_t length,
                std::uint32_t wanted) noexcept {
    if (available < tcp_octets) [[unlikely]]
      return false;
    const std::uint32_t header = (segment[12] >> 4) * 4u;
    if (header < tcp_octets || header > length) [[unlikely]]
      return false;
    const std::uint32_t flags_and_window = be32(segment + 12);
    const std::uint16_t flags = tcp_flags_of(static_cast<std::uint16_t>(flags_and_window >> 16));
    numbers_ = pair_of(be64(segment + 4));
    flags_and_window_ = pair_of(std::uint32_t{flags} << 16 | (flags_and_window & 0xffff));
    bits_ |= PacketBits::whole_tcp;
    payload_length_ = length - header;
    if (wanted == Need::none) [[likely]]
      return true;
    return !(wanted & of_every_packet) && !(header > tcp_octets && wants_tcp_options(wanted, flags)) &&
           !carries_payload<6>(segment, header, available, wanted);
  }

  /// The same.
  bool read_udp(const std::uint8_t* message, std::uint32_t available, std::uint32_t length,
                std::uint32_t wanted) noexcept {
    constexpr std::uint32_t header = 8;
    if (protocol_ != 17) [[unlikely]]
      return false;
    numbers_ = 0;
    flags_and_window_ = 0;
    bits_ = static_cast<std::uint16_t>(bits_ | PacketBits::transport |
                                       (be16(message + 6) == 0 ? PacketBits::zero_checksum : 0));
    const std::uint32_t own_length = be16(message + 4);
    if (own_length < header || own_length > length) [[unlikely]]
      return false;
    payload_length_ = own_length - header;
    if (wanted == Need::none) [[likely]]
      return true;
    return !(wanted & of_every_packet) &&
           !carries_payload<17>(message, header, std::min(available, own_length), wanted);
  }

  /// Whether what is there of a payload, behind a transport header of `header` octets, goes along.
  template <std::uint8_t protocol>
  [[nodiscard]] static bool carries_payload(const std::uint8_t* transport, std::uint32_t header,
                                            std::uint32_t available, std::uint32_t wanted) noexcept {
    return (wanted & Need::payloads) && available > header &&
           payload_kind_of<protocol>(wanted, {transport + header, available - header}) != 0;
  }

  /// The canonical key, as set_endpoints() makes it, without a branch: nobody can predict who sent a packet, and each
  /// wrong guess took 5 ns.
  void read_endpoints(const std::uint8_t* ip) noexcept {
    const std::uint64_t from_port = be16(ip + ip_octets), to_port = be16(ip + ip_octets + 2);
    bool from_high;
    if constexpr (version == 4) {
      from_high = (std::uint64_t{be32(ip + 12)} << 16 | from_port) > (std::uint64_t{be32(ip + 16)} << 16 | to_port);
      key_[1] = std::rotl(word(ip + 12), from_high * 32);
    } else {
      const unsigned tops_equal = be64(ip + 8) == be64(ip + 24), top_above = be64(ip + 8) > be64(ip + 24);
      const unsigned rests_equal = be64(ip + 16) == be64(ip + 32), rest_above = be64(ip + 16) > be64(ip + 32);
      const unsigned port_above = from_port > to_port;
      from_high = (top_above | (tops_equal & (rest_above | (rests_equal & port_above)))) != 0;
      for (std::size_t i = 0; i < 2; ++i) {
        const std::uint64_t from = word(ip + 8 + 8 * i), to = word(ip + 24 + 8 * i);
        const std::uint64_t exchange = (from ^ to) & (std::uint64_t{0} - from_high);
        key_[1 + i] = from ^ exchange;
        key_[3 + i] = to ^ exchange;
      }
    }
    const auto ports = static_cast<std::uint32_t>(from_port | to_port << 16);
    key_[0] = key_head(std::rotl(ports, from_high * 16));
    bits_ = static_cast<std::uint16_t>(bits_ | from_high * PacketBits::from_high);
  }

  /// A FlowKeyHead put together in a register (the lower endpoint's port in the lower half of `ports`): written field
  /// by field and then read as a whole, it would have to wait for the store buffer.
  [[nodiscard]] std::uint64_t key_head(std::uint32_t ports) const noexcept {
    if constexpr (std::endian::native == std::endian::little)
      return ports | std::uint64_t{protocol_} << 32 | std::uint64_t{version} << 40 | std::uint64_t{1} << 48;
    else
      return std::bit_cast<std::uint64_t>(FlowKeyHead{
          {static_cast<std::uint16_t>(ports), static_cast<std::uint16_t>(ports >> 16)}, protocol_, version, 1, 0});
  }

  /// Two numbers that follow one another in a header, read as one, as they follow one another in the record.
  template <typename Number>
  [[nodiscard]] static Number pair_of(Number read) noexcept {
    return std::endian::native == std::endian::little ? std::rotl(read, sizeof read * 4) : read;
  }

  [[nodiscard]] static std::uint64_t word(const std::uint8_t* at) noexcept {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  }

  std::uint64_t time_ns_;
  std::uint64_t key_[key_bytes / 8]; ///< FlowKeyHead and addresses, as the record has them
  std::uint32_t ip_length_, payload_length_;
  std::uint64_t numbers_;          ///< TCP's sequence and acknowledgement number, as the record has them
  std::uint32_t flags_and_window_; ///< the same
  std::uint16_t ip_id_, bits_;
  std::uint8_t protocol_, traffic_class_, ttl_;
};

} // namespace orbweaver
