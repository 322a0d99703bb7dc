// SPDX-License-Identifier: GPL-3.0-or-later
// Link layers of test packets: Ethernet and its tags, MPLS, PPPoE, PPP, Linux cooked, null/loopback.
#pragma once

#include "tests/support/packet.hpp"

#include <array>

namespace orbweaver::craft {

class Ethernet {
public:
  using Address = std::array<std::uint8_t, 6>;

  Ethernet& source(const Address& address) { return source_ = address, *this; }
  Ethernet& destination(const Address& address) { return destination_ = address, *this; }
  /// Names the content otherwise than it is.
  Ethernet& ether_type(std::uint16_t value) { return ether_type_ = value, *this; }
  /// Appends zeros up to the 60 octets of the shortest frame (without its check sequence).
  Ethernet& padded() { return padded_ = true, *this; }

  void prepend(Assembly& assembly) const;

private:
  Address source_{2, 0, 0, 0, 0, 1};
  Address destination_{2, 0, 0, 0, 0, 2};
  std::optional<std::uint16_t> ether_type_;
  bool padded_ = false;
};

inline Ethernet ethernet() {
  return {};
}

/// A tag of IEEE 802.1Q; stack them for QinQ: `ethernet() / service_vlan(100) / vlan(7) / ...`.
class Vlan {
public:
  Vlan(std::uint16_t tag_type, std::uint16_t id) : tag_type_(tag_type), control_(id & 0xfff) {}

  Vlan& priority(unsigned value) {
    control_ = static_cast<std::uint16_t>((control_ & 0x1fff) | (value << 13));
    return *this;
  }

  void prepend(Assembly& assembly) const;

private:
  std::uint16_t tag_type_;
  std::uint16_t control_;
};

inline Vlan vlan(std::uint16_t id) {
  return {0x8100, id};
}
inline Vlan service_vlan(std::uint16_t id) {
  return {0x88a8, id};
}

/// One entry of an MPLS label stack (RFC 3032). The innermost of a run of them marks the bottom of the stack.
class Mpls {
public:
  explicit Mpls(std::uint32_t label) : label_(label) {}

  Mpls& traffic_class(std::uint8_t value) { return traffic_class_ = value, *this; }
  Mpls& ttl(std::uint8_t value) { return ttl_ = value, *this; }

  void prepend(Assembly& assembly) const;

private:
  std::uint32_t label_;
  std::uint8_t traffic_class_ = 0;
  std::uint8_t ttl_ = 64;
};

inline Mpls mpls(std::uint32_t label) {
  return Mpls(label);
}

/// A PPPoE session header (RFC 2516, section 4), to be followed by `ppp()`.
struct PppoeSession {
  std::uint16_t session;
  void prepend(Assembly& assembly) const;
};

inline PppoeSession pppoe_session(std::uint16_t session = 1) {
  return {session};
}

/// PPP's protocol field (RFC 1661), with address and control bytes FF 03 before it (RFC 1662) on request.
class Ppp {
public:
  Ppp& hdlc() { return hdlc_ = true, *this; }
  /// One byte for a protocol below 0x100, as protocol field compression sends it (RFC 1661, section 6.5).
  Ppp& compressed_protocol() { return compressed_ = true, *this; }
  void prepend(Assembly& assembly) const;

private:
  bool hdlc_ = false;
  bool compressed_ = false;
};

inline Ppp ppp() {
  return {};
}

/// LINKTYPE_LINUX_SLL; `packet_type` 0 is "to us", 4 is "from us".
struct LinuxCooked {
  std::uint16_t packet_type;
  void prepend(Assembly& assembly) const;
};

inline LinuxCooked linux_cooked(std::uint16_t packet_type = 0) {
  return {packet_type};
}

/// LINKTYPE_LINUX_SLL2.
struct LinuxCooked2 {
  std::uint8_t packet_type;
  std::uint32_t interface_index;
  void prepend(Assembly& assembly) const;
};

inline LinuxCooked2 linux_cooked2(std::uint8_t packet_type = 0, std::uint32_t interface_index = 1) {
  return {packet_type, interface_index};
}

/// LINKTYPE_NULL (the capturing host's byte order) and LINKTYPE_LOOP (big endian). IPv6 is 30 by default, as on macOS;
/// 24 and 28 are other systems' numbers for it, 10 is Linux's.
struct NullLoopback {
  std::endian order;
  std::uint32_t ipv6_family;
  void prepend(Assembly& assembly) const;
};

inline NullLoopback null_loopback(std::endian order = std::endian::little, std::uint32_t ipv6_family = 30) {
  return {order, ipv6_family};
}

} // namespace orbweaver::craft
