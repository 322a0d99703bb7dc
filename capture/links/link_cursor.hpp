// SPDX-License-Identifier: GPL-3.0-or-later
// What the walks over link headers share: a place in a frame, and the walks that lead into one another. Only for the
// files of these walks.
#pragma once

#include "capture/dissect/octets.hpp"
#include "capture/links/link_layers.hpp"

#include <algorithm>
#include <cstdint>

namespace orbweaver::links {

/// A place in a frame; every step on checks that the octets are there. Notes what lies on the way, where that is
/// wanted.
class Cursor {
public:
  Cursor(const std::uint8_t* octets, std::uint32_t captured, std::uint32_t wire, LinkHeaders* headers) noexcept
      : octets_(octets), captured_(captured), wire_(wire), headers_(headers) {}

  [[nodiscard]] bool has(std::uint32_t octets) const noexcept { return left() >= octets; }
  /// Octets that were captured from here on, and that a header before does not say are none of the packet's.
  [[nodiscard]] std::uint32_t left() const noexcept { return captured_ - offset_; }
  /// The same on the wire.
  [[nodiscard]] std::uint32_t wire_left() const noexcept { return left_after(wire_, offset_); }
  [[nodiscard]] const std::uint8_t* at(std::uint32_t octets = 0) const noexcept { return octets_ + offset_ + octets; }
  [[nodiscard]] std::uint32_t offset() const noexcept { return offset_; }
  void skip(std::uint32_t octets) noexcept { offset_ += octets; } ///< only what has() said is there
  [[nodiscard]] LinkHeaders* headers() const noexcept { return headers_; }
  void note_in(LinkHeaders* headers) noexcept { headers_ = headers; }

  /// A header says that so many octets from here on are the packet's, and no more.
  void limit(std::uint32_t octets) noexcept {
    if (octets < wire_left())
      wire_ = offset_ + octets;
    captured_ = offset_ + std::min(left(), octets);
  }
  /// The last octets on the wire are none of the packet's.
  void trim(std::uint32_t octets) noexcept { limit(left_after(wire_left(), octets)); }

  /// Goes into a frame in the frame; false where that was done too often: headers that carry one another could do it
  /// once for each few octets.
  [[nodiscard]] bool nest() noexcept { return nested_++ < max_nested; }

  /// The packet begins here.
  [[nodiscard]] NetworkLayer found(Network kind) const noexcept { return {kind, offset_, captured_, wire_}; }

private:
  static constexpr unsigned max_nested = 4;

  const std::uint8_t* octets_;
  std::uint32_t captured_;
  std::uint32_t wire_;
  std::uint32_t offset_ = 0;
  unsigned nested_ = 0;
  LinkHeaders* headers_;
};

inline constexpr NetworkLayer cut{Network::cut, 0, 0, 0};
inline constexpr NetworkLayer other{Network::other, 0, 0, 0};
inline constexpr NetworkLayer bad_version{Network::bad_version, 0, 0, 0};

/// IP whose version only its first four bits tell; `otherwise` where they tell none.
[[nodiscard]] NetworkLayer by_version(const Cursor& cursor, NetworkLayer otherwise) noexcept;
/// IP of the version that an address family says, in the numbers of Linux, the BSDs and macOS.
[[nodiscard]] NetworkLayer by_family(const Cursor& cursor, std::uint32_t family) noexcept;
/// What an ethertype announces, through any stack of tags.
[[nodiscard]] NetworkLayer ethertype(Cursor cursor, std::uint16_t type) noexcept;
[[nodiscard]] NetworkLayer ethernet(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer llc(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer mpls(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer ppp(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer cisco_hdlc(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer frame_relay(Cursor cursor) noexcept;
/// What follows a network layer protocol identifier (ISO/IEC TR 9577), in frame relay and elsewhere.
[[nodiscard]] NetworkLayer nlpid(Cursor cursor) noexcept;

/// The next protocol of a network service header (RFC 8300, section 2.2), in the numbers that VXLAN's generic extension
/// has too.
[[nodiscard]] NetworkLayer next_protocol(Cursor cursor, std::uint8_t protocol) noexcept;

/// A frame of that link type.
[[nodiscard]] NetworkLayer frame_of(Cursor cursor, LinkType link) noexcept;

// pseudo_wire.cpp
/// How well IP that was found by a guess fits what is there.
enum class Fit : std::uint8_t { none, lengths, checksum };
[[nodiscard]] Fit fit_of(const Cursor& cursor, const NetworkLayer& network) noexcept;
/// What lies below the bottom of a label stack.
[[nodiscard]] NetworkLayer below_labels(const Cursor& cursor) noexcept;

// wireless.cpp
[[nodiscard]] NetworkLayer ieee802_11(Cursor cursor, bool is_padded = false) noexcept;
[[nodiscard]] NetworkLayer radiotap(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer prism(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer avs(Cursor cursor) noexcept;

// pseudo_headers.cpp
[[nodiscard]] NetworkLayer ppi(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer nflog(const Cursor& cursor) noexcept;
[[nodiscard]] NetworkLayer pflog(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer old_pflog(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer pktap(Cursor cursor) noexcept;
[[nodiscard]] NetworkLayer juniper(Cursor cursor, LinkType link) noexcept;

} // namespace orbweaver::links
