// SPDX-License-Identifier: GPL-3.0-or-later
// Packet records for the observer's tests, made by hand: what capture would deliver, without capture.
#pragma once

#include "common/stream/records/packet_record.hpp"
#include "common/tcp.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace orbweaver::test {

using Octets = std::vector<std::uint8_t>;

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;
inline constexpr std::uint8_t icmp = 1, tcp = 6, udp = 17, icmp6 = 58, sctp = 132;

/// An end of a flow. Addresses of 4 octets are IPv4, of 16 IPv6.
struct Host {
  Octets address;
  std::uint16_t port = 0;
};

inline Host ipv4(std::uint8_t last, std::uint16_t port = 0) {
  return {{192, 0, 2, last}, port};
}

inline Host ipv6(std::uint8_t last, std::uint16_t port = 0) {
  return {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}, port};
}

/// A packet record with its variable part, made step by step: `Packet(a, b, tcp).at(3).flags(TCP_SYN)`.
class Packet {
public:
  Packet(const Host& from, const Host& to, std::uint8_t protocol) : from_(from), to_(to) {
    record_.header.kind = RecordKind::packet;
    record_.key.protocol = protocol;
    record_.key.version = from.address.size() == 4 ? 4 : 6;
    record_.key.has_ports = protocol == tcp || protocol == udp || protocol == sctp || protocol == 136;
    record_.ip_length = 40;
    record_.ttl = 64;
    record_.bits = PacketBits::transport;
  }

  /// An ICMP error of that type about a packet from `from` to `to`.
  static Packet error(const Host& from, const Host& to, std::uint8_t protocol, std::uint8_t type) {
    return Packet(to, from, protocol).icmp_type(type).set(PacketBits::icmp_error);
  }

  Packet& at_ns(std::uint64_t time_ns) { return record_.time_ns = time_ns, *this; }
  Packet& at(std::uint64_t second, std::uint64_t ns = 0) { return at_ns(second * ns_per_s + ns); }
  Packet& flags(std::uint16_t flags) { return record_.tcp_flags = flags, *this; }
  Packet& payload(std::uint32_t octets) { return record_.payload_length = octets, *this; }
  Packet& ttl(std::uint8_t hops) { return record_.ttl = hops, *this; }
  Packet& ip_length(std::uint32_t octets) { return record_.ip_length = octets, *this; }
  Packet& traffic_class(std::uint8_t value) { return record_.traffic_class = value, *this; }
  Packet& dscp(std::uint8_t code_point) {
    return traffic_class(static_cast<std::uint8_t>(code_point << 2 | (record_.traffic_class & 3)));
  }
  Packet& sequence(std::uint32_t number) { return record_.sequence = number, *this; }
  Packet& acknowledgement(std::uint32_t number) { return record_.acknowledgement = number, *this; }
  Packet& icmp_type(std::uint8_t type) { return record_.icmp_type = type, *this; }
  Packet& set(std::uint16_t bits) { return record_.bits |= bits, *this; }
  /// As of a fragment, or a packet cut off within its transport header.
  Packet& without_transport() { return record_.bits &= static_cast<std::uint16_t>(~PacketBits::transport), *this; }
  Packet& options(Octets octets) { return options_ = std::move(octets), *this; }
  /// A payload that travels, as one that may be a DNS response.
  Packet& payload(Octets octets) {
    record_.payload_length = static_cast<std::uint32_t>(octets.size());
    return payload_ = std::move(octets), *this;
  }
  /// Tags by their control words, outer first.
  Packet& vlans(const std::vector<std::uint16_t>& controls) {
    for (const std::uint16_t control : controls)
      append(vlans_, VlanTag{0x8100, control});
    return *this;
  }
  /// A layer that it was carried in; addresses of 4 or 16 octets, or none.
  Packet& tunnel(TunnelKind kind, std::uint8_t has_identifier, std::uint32_t identifier, const Octets& source = {},
                 const Octets& destination = {}) {
    const auto version = static_cast<std::uint8_t>(source.empty() ? 0 : source.size() == 4 ? 4 : 6);
    append(tunnels_, TunnelHead{kind, version, has_identifier, 0, identifier});
    tunnels_.insert(tunnels_.end(), source.begin(), source.end());
    tunnels_.insert(tunnels_.end(), destination.begin(), destination.end());
    return *this;
  }
  /// What its key has beyond the five-tuple; its hash is the same all the same.
  Packet& key_extension(Octets octets) {
    record_.key.extended = 1;
    return extension_ = std::move(octets), *this;
  }
  Packet& icmp_code(std::uint8_t code) { return record_.icmp_code = code, *this; }
  Packet& icmp_sender(Octets address) { return sender_ = std::move(address), *this; }
  /// Instead of the hash of its key.
  Packet& hash(std::uint32_t value) { return hash_ = value, has_hash_ = true, *this; }

  /// The record, whose memory holds nothing after it.
  [[nodiscard]] std::vector<std::uint64_t> words() const {
    PacketRecord record = record_;
    const Host *low = &from_, *high = &to_;
    const auto rank = [](const Host& host) {
      std::array<std::uint8_t, 18> octets{}; // the address, then the port
      std::copy_n(host.address.begin(), std::min<std::size_t>(host.address.size(), 16), octets.begin());
      octets[16] = static_cast<std::uint8_t>(host.port >> 8);
      octets[17] = static_cast<std::uint8_t>(host.port);
      return octets;
    };
    const bool tie_is_high = record.bits & PacketBits::icmp_error;
    if (rank(from_) > rank(to_) || (rank(from_) == rank(to_) && tie_is_high)) {
      std::swap(low, high);
      record.bits |= PacketBits::from_high;
    }
    record.key.ports[0] = record.key.has_ports ? low->port : 0;
    record.key.ports[1] = record.key.has_ports ? high->port : 0;

    Octets variable = low->address;
    variable.insert(variable.end(), high->address.begin(), high->address.end());
    record.flow_hash = has_hash_ ? hash_ : hash_of(record.key, variable);
    add_block(record, variable, PacketBlock::key_extension, extension_, {});
    add_block(record, variable, PacketBlock::vlan_tags, vlans_, {});
    add_block(record, variable, PacketBlock::tunnels, tunnels_, {});
    if (!sender_.empty()) {
      record.blocks |= PacketBlock::icmp_sender;
      variable.insert(variable.end(), sender_.begin(), sender_.end());
    }
    add_block(record, variable, PacketBlock::tcp_options, options_, {});
    add_block(record, variable, PacketBlock::payload, payload_, {PayloadName("dns").number()});
    record.header.length = static_cast<std::uint32_t>(sizeof record + variable.size());
    std::vector<std::uint64_t> words(record_stride(record.header.length) / sizeof(std::uint64_t));
    std::memcpy(words.data(), &record, sizeof record);
    std::memcpy(reinterpret_cast<std::byte*>(words.data()) + sizeof record, variable.data(), variable.size());
    return words;
  }

private:
  template <typename Value>
  static void append(Octets& octets, const Value& value) {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(&value);
    octets.insert(octets.end(), begin, begin + sizeof value);
  }
  /// A block with a length, and what stands between that and its content; none where there is no content.
  static void add_block(PacketRecord& record, Octets& variable, std::uint16_t bit, const Octets& content,
                        const Octets& between) {
    if (content.empty())
      return;
    record.blocks |= bit;
    const auto length = static_cast<std::uint16_t>(content.size());
    const auto* const octets = reinterpret_cast<const std::uint8_t*>(&length);
    variable.insert(variable.end(), octets, octets + sizeof length);
    variable.insert(variable.end(), between.begin(), between.end());
    variable.insert(variable.end(), content.begin(), content.end());
  }

  static std::uint32_t hash_of(const FlowKeyHead& key, const Octets& addresses) {
    std::uint64_t hash = 14'695'981'039'346'656'037u; // FNV-1a, spread over the lower half, which the table takes
    const auto add = [&](std::uint8_t octet) { hash = (hash ^ octet) * 1'099'511'628'211u; };
    for (const std::uint16_t port : key.ports)
      add(static_cast<std::uint8_t>(port)), add(static_cast<std::uint8_t>(port >> 8));
    add(key.protocol);
    for (const std::uint8_t octet : addresses)
      add(octet);
    return static_cast<std::uint32_t>(hash ^ hash >> 29);
  }

  Host from_, to_;
  PacketRecord record_{};
  Octets options_, payload_, vlans_, tunnels_, extension_, sender_;
  std::uint32_t hash_ = 0;
  bool has_hash_ = false;
};

} // namespace orbweaver::test
