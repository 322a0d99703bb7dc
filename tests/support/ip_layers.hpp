// SPDX-License-Identifier: GPL-3.0-or-later
// IPv4 (RFC 791) and IPv6 (RFC 8200) of test packets, IPv6's extension headers, and ready-made datagrams.
#pragma once

#include "tests/support/packet.hpp"

#include <array>

namespace orbweaver::craft {

/// Addresses are written as text; a malformed one throws std::invalid_argument.
class Ipv4 {
public:
  Ipv4(std::string_view source, std::string_view destination);

  /// The whole byte: code point in the upper six bits, ECN in the lower two.
  Ipv4& traffic_class(std::uint8_t value) { return traffic_class_ = value, *this; }
  Ipv4& id(std::uint16_t value) { return id_ = value, *this; }
  Ipv4& ttl(std::uint8_t value) { return ttl_ = value, *this; }
  Ipv4& dont_fragment() { return flags_ |= 0x4000, *this; }
  Ipv4& more_fragments() { return flags_ |= 0x2000, *this; }
  /// The reserved bit (RFC 3514).
  Ipv4& evil() { return flags_ |= 0x8000, *this; }
  /// Octets, a multiple of 8.
  Ipv4& fragment_offset(std::uint16_t octets) { return fragment_offset_ = octets, *this; }
  /// Padded with end-of-option-list bytes to a multiple of four.
  Ipv4& options(Bytes value) { return options_ = std::move(value), *this; }
  Ipv4& protocol(std::uint8_t value) { return protocol_ = value, *this; }
  /// What the header says, true or not; 0 is what segmentation offload leaves there.
  Ipv4& total_length(std::uint16_t octets) { return total_length_ = octets, *this; }
  Ipv4& header_words(std::uint8_t value) { return header_words_ = value, *this; }
  Ipv4& checksum(std::uint16_t value) { return checksum_ = value, *this; }

  void prepend(Assembly& assembly) const;

private:
  std::array<std::uint8_t, 4> source_{};
  std::array<std::uint8_t, 4> destination_{};
  std::uint8_t traffic_class_ = 0;
  std::uint16_t id_ = 0;
  std::uint16_t flags_ = 0;
  std::uint16_t fragment_offset_ = 0;
  std::uint8_t ttl_ = 64;
  Bytes options_;
  std::optional<std::uint8_t> protocol_;
  std::optional<std::uint16_t> total_length_;
  std::optional<std::uint8_t> header_words_;
  std::optional<std::uint16_t> checksum_;
};

inline Ipv4 ipv4(std::string_view source, std::string_view destination) {
  return {source, destination};
}

class Ipv6 {
public:
  Ipv6(std::string_view source, std::string_view destination);

  Ipv6& traffic_class(std::uint8_t value) { return traffic_class_ = value, *this; }
  Ipv6& flow_label(std::uint32_t value) { return flow_label_ = value, *this; }
  Ipv6& hop_limit(std::uint8_t value) { return hop_limit_ = value, *this; }
  Ipv6& next_header(std::uint8_t value) { return next_header_ = value, *this; }
  /// What the header says, true or not; 0 is a jumbogram's or what segmentation offload leaves there.
  Ipv6& payload_length(std::uint16_t octets) { return payload_length_ = octets, *this; }

  void prepend(Assembly& assembly) const;

private:
  std::array<std::uint8_t, 16> source_{};
  std::array<std::uint8_t, 16> destination_{};
  std::uint8_t traffic_class_ = 0;
  std::uint32_t flow_label_ = 0;
  std::uint8_t hop_limit_ = 64;
  std::optional<std::uint8_t> next_header_;
  std::optional<std::uint16_t> payload_length_;
};

inline Ipv6 ipv6(std::string_view source, std::string_view destination) {
  return {source, destination};
}

/// An IPv6 extension header: its own protocol number, and what follows its next-header byte.
class ExtensionHeader {
public:
  ExtensionHeader(std::uint8_t protocol, Bytes body) : protocol_(protocol), body_(std::move(body)) {}

  ExtensionHeader& next_header(std::uint8_t value) { return next_header_ = value, *this; }
  /// The header's own length field, true or not.
  ExtensionHeader& length_field(std::uint8_t value) { return body_.at(0) = value, *this; }

  void prepend(Assembly& assembly) const;

private:
  std::uint8_t protocol_;
  Bytes body_;
  std::optional<std::uint8_t> next_header_;
};

/// RFC 8200, sections 4.3 and 4.6. Options are padded by PadN to a whole header; none gives the shortest one.
ExtensionHeader hop_by_hop(Bytes options = {});
ExtensionHeader destination_options(Bytes options = {});
/// A type-0 style header without addresses and, by default, no segment left (RFC 8200, section 4.4).
ExtensionHeader routing(std::uint8_t segments_left = 0, std::uint8_t type = 0);
/// RFC 8200, section 4.5; the offset is in octets, a multiple of 8.
ExtensionHeader fragment(std::uint16_t offset, bool more, std::uint32_t id);
/// AH with a 96-bit check value of zeros (RFC 4302); its length counts words of four octets.
ExtensionHeader authentication(std::uint32_t parameter_index = 1, std::uint32_t sequence = 1);
/// A Binding Refresh Request (RFC 6275, section 6.1.2), with a checksum of zero.
ExtensionHeader mobility();
/// A HIP I1 packet with empty identity tags (RFC 7401, section 5.1).
ExtensionHeader hip();
/// A shim6 payload extension header (RFC 5533, section 5.1).
ExtensionHeader shim6();

/// ESP (RFC 4303): what is inside is opaque to anyone who looks on.
struct Esp {
  std::uint32_t parameter_index;
  std::uint32_t sequence;
  void prepend(Assembly& assembly) const;
};

inline Esp esp(std::uint32_t parameter_index = 1, std::uint32_t sequence = 1) {
  return {parameter_index, sequence};
}

/// Says that nothing follows (RFC 8200, section 4.7), whatever does.
struct NoNextHeader {
  void prepend(Assembly& assembly) const;
};

inline NoNextHeader no_next_header() {
  return {};
}

/// An IP datagram that is bytes already: IPv4 or IPv6 by its first four bits.
struct Datagram {
  Bytes content;
  void prepend(Assembly& assembly) const;
};

inline Datagram datagram(Bytes content) {
  return {std::move(content)};
}

} // namespace orbweaver::craft
