// SPDX-License-Identifier: GPL-3.0-or-later
// ICMP (RFC 792) and ICMPv6 (RFC 4443) messages of test packets, and the packets that their errors quote.
#pragma once

#include "tests/support/packet.hpp"

#include <limits>

namespace orbweaver::craft {

/// Type, code, checksum, four bytes whose meaning is the type's, and what follows.
class Icmp {
public:
  enum class Version : std::uint8_t { v4, v6 };

  Icmp(Version version, std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0)
      : version_(version), type_(type), code_(code), rest_(rest) {}

  /// Quotes a datagram, from its IP header on, cut after `limit` octets.
  Icmp& quote(Bytes datagram, std::size_t limit = std::numeric_limits<std::size_t>::max());
  Icmp& checksum(std::uint16_t value) { return checksum_ = value, *this; }

  void prepend(Assembly& assembly) const;

private:
  Version version_;
  std::uint8_t type_;
  std::uint8_t code_;
  std::uint32_t rest_;
  Bytes quotation_;
  std::optional<std::uint16_t> checksum_;
};

inline Icmp icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
  return {Icmp::Version::v4, type, code, rest};
}
inline Icmp icmp6(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
  return {Icmp::Version::v6, type, code, rest};
}

inline std::uint32_t echo_rest(std::uint16_t id, std::uint16_t sequence) {
  return std::uint32_t{id} << 16 | sequence;
}

inline Icmp icmp_echo(std::uint16_t id, std::uint16_t sequence) {
  return icmp(8, 0, echo_rest(id, sequence));
}
inline Icmp icmp_echo_reply(std::uint16_t id, std::uint16_t sequence) {
  return icmp(0, 0, echo_rest(id, sequence));
}
inline Icmp icmp_unreachable(std::uint8_t code) {
  return icmp(3, code);
}
inline Icmp icmp_time_exceeded() {
  return icmp(11, 0);
}

inline Icmp icmp6_echo(std::uint16_t id, std::uint16_t sequence) {
  return icmp6(128, 0, echo_rest(id, sequence));
}
inline Icmp icmp6_echo_reply(std::uint16_t id, std::uint16_t sequence) {
  return icmp6(129, 0, echo_rest(id, sequence));
}
inline Icmp icmp6_unreachable(std::uint8_t code) {
  return icmp6(1, code);
}
inline Icmp icmp6_packet_too_big(std::uint32_t mtu) {
  return icmp6(2, 0, mtu);
}
inline Icmp icmp6_time_exceeded() {
  return icmp6(3, 0);
}

} // namespace orbweaver::craft
