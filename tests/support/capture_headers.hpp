// SPDX-License-Identifier: GPL-3.0-or-later
// Serial lines, IEEE 802.11, and what captures put before a frame.
#pragma once

#include "tests/support/packet.hpp"

namespace orbweaver::craft {

/// Octets before a frame, as they are.
struct Raw {
  Bytes octets;
  void prepend(Assembly& assembly) const { craft::prepend(assembly.bytes, octets); }
};
inline Raw raw(Bytes octets) {
  return {std::move(octets)};
}

/// Cisco's HDLC: an address, a zero, the ethertype.
struct CiscoHdlc {
  std::uint8_t address;
  void prepend(Assembly& assembly) const;
};
inline CiscoHdlc cisco_hdlc(std::uint8_t address = 0x0f) {
  return {address};
}

/// LLC with SNAP in front of the ethertype.
struct Snap {
  void prepend(Assembly& assembly) const;
};
inline Snap snap() {
  return {};
}

/// Frame relay with a Q.922 address of so many octets, then RFC 2427's identifier of the network layer, or SNAP; or
/// Cisco's ethertype.
class FrameRelay {
public:
  enum class Form : std::uint8_t { identifier, snap, cisco };
  explicit FrameRelay(Form form) : form_(form) {}
  FrameRelay& address_octets(unsigned octets) { return address_ = octets, *this; }
  FrameRelay& padded() { return padded_ = true, *this; }
  void prepend(Assembly& assembly) const;

private:
  Form form_;
  unsigned address_ = 2;
  bool padded_ = false;
};
inline FrameRelay frame_relay(FrameRelay::Form form = FrameRelay::Form::identifier) {
  return FrameRelay(form);
}

/// A data frame of IEEE 802.11 with LLC and SNAP.
class Wireless {
public:
  Wireless& quality() { return quality_ = true, *this; }
  Wireless& four_addresses() { return flags_ |= 3, *this; }
  Wireless& high_throughput() { return flags_ |= 0x80, quality(); }
  Wireless& encrypted() { return flags_ |= 0x40, *this; }
  Wireless& fragment(std::uint8_t number) { return fragment_ = number, *this; }
  Wireless& subtype(std::uint8_t value) { return subtype_ = value, *this; }
  /// The content is the first of so many frames that are sent as one.
  Wireless& aggregated() { return aggregated_ = true, quality(); }
  /// Fills the header up to a multiple of four octets, as some drivers do.
  Wireless& padded() { return padded_ = true, *this; }
  void prepend(Assembly& assembly) const;

private:
  std::uint8_t flags_ = 1, fragment_ = 0, subtype_ = 0;
  bool quality_ = false, aggregated_ = false, padded_ = false;
};
inline Wireless wireless() {
  return {};
}

/// A radiotap header with a time and flags: 0x10 for a check sequence behind the frame, which is appended, 0x20 for a
/// padded header; `words`: of fields that are present.
struct Radiotap {
  std::uint8_t flags;
  unsigned words;
  void prepend(Assembly& assembly) const;
};
inline Radiotap radiotap(std::uint8_t flags = 0, unsigned words = 1) {
  return {flags, words};
}

/// Headers with a length, a magic number, or a link type.
Raw prism_header();
Raw avs_header(std::uint32_t length = 64);
Raw ppi_header(std::uint32_t link_type, std::uint16_t length = 8);
Raw pktap_header(std::uint32_t link_type, std::uint32_t length = 108);
/// `length`: as the header says it, without padding.
Raw pflog_header(std::uint8_t family, std::uint8_t length = 61);
Raw old_pflog_header(std::uint32_t family);
/// "MGC", the flags, so many octets of extensions, a cookie.
Raw juniper_header(std::uint8_t flags, const Bytes& cookie = {}, std::size_t extensions = 0);

/// A netfilter log whose packet is one attribute among others.
struct Nflog {
  std::uint8_t family;
  std::endian order;
  void prepend(Assembly& assembly) const;
};
inline Nflog nflog(std::uint8_t family, std::endian order = std::endian::little) {
  return {family, order};
}

} // namespace orbweaver::craft
