// SPDX-License-Identifier: GPL-3.0-or-later
// Headers of tunnels, to stand between two IP headers or behind UDP's.
#pragma once

#include "tests/support/packet.hpp"

namespace orbweaver::craft {

/// GRE with what is asked for (RFC 2784, RFC 2890, RFC 1701); names its content by the ethertype unless told otherwise.
class Gre {
public:
  Gre& key(std::uint32_t value) { return key_ = value, *this; }
  Gre& sequence(std::uint32_t value) { return sequence_ = value, *this; }
  Gre& checksum() { return checksum_ = true, *this; }
  /// Source routes of so many entries, and the empty one.
  Gre& routes(unsigned count) { return routes_ = count, *this; }
  Gre& type(std::uint16_t value) { return type_ = value, *this; }
  void prepend(Assembly& assembly) const;

private:
  std::optional<std::uint32_t> key_, sequence_;
  std::optional<unsigned> routes_;
  std::optional<std::uint16_t> type_;
  bool checksum_ = false;
};
inline Gre gre() {
  return {};
}

/// GRE's version 1 as PPTP uses it, in front of PPP.
struct Pptp {
  std::uint16_t call;
  bool acknowledges;
  void prepend(Assembly& assembly) const;
};
inline Pptp pptp(std::uint16_t call, bool acknowledges = false) {
  return {call, acknowledges};
}

struct Vxlan {
  std::uint32_t network;
  std::uint8_t flags;
  std::uint8_t protocol;
  void prepend(Assembly& assembly) const;
};
inline Vxlan vxlan(std::uint32_t network, std::uint8_t flags = 8, std::uint8_t protocol = 0) {
  return {network, flags, protocol};
}

struct Geneve {
  std::uint32_t network;
  unsigned option_words;
  std::uint8_t flags;
  void prepend(Assembly& assembly) const;
};
inline Geneve geneve(std::uint32_t network, unsigned option_words = 0, std::uint8_t flags = 0) {
  return {network, option_words, flags};
}

/// A user packet of GTP version 1 with a sequence number and extension headers of so many words each.
class Gtp {
public:
  explicit Gtp(std::uint32_t endpoint) : endpoint_(endpoint) {}
  Gtp& sequence() { return sequence_ = true, *this; }
  Gtp& extension(std::uint8_t words) { return extensions_.push_back(words), *this; }
  Gtp& type(std::uint8_t value) { return type_ = value, *this; }
  Gtp& first_octet(std::uint8_t value) { return first_ = value, *this; }
  void prepend(Assembly& assembly) const;

private:
  std::uint32_t endpoint_;
  bool sequence_ = false;
  Bytes extensions_;
  std::uint8_t type_ = 255;
  std::optional<std::uint8_t> first_;
};
inline Gtp gtp(std::uint32_t endpoint) {
  return Gtp(endpoint);
}

/// A data message of L2TP version 2, in front of PPP.
class L2tp {
public:
  L2tp(std::uint16_t tunnel, std::uint16_t session) : tunnel_(tunnel), session_(session) {}
  L2tp& with_length() { return length_ = true, *this; }
  L2tp& numbered() { return numbered_ = true, *this; }
  L2tp& offset(std::uint16_t octets) { return offset_ = octets, *this; }
  void prepend(Assembly& assembly) const;

private:
  std::uint16_t tunnel_, session_;
  bool length_ = false, numbered_ = false;
  std::optional<std::uint16_t> offset_;
};
inline L2tp l2tp(std::uint16_t tunnel, std::uint16_t session) {
  return {tunnel, session};
}

/// Octets behind an IP header that names them by that protocol, or behind UDP's.
struct InIp {
  std::uint8_t protocol;
  Bytes octets;
  void prepend(Assembly& assembly) const;
};
inline InIp in_ip(std::uint8_t protocol, Bytes octets = {}) {
  return {protocol, std::move(octets)};
}

} // namespace orbweaver::craft
