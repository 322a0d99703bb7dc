// SPDX-License-Identifier: GPL-3.0-or-later
// Tags behind Ethernet's addresses other than VLANs: each is named by an ethertype and leads to another, or to a frame.
#pragma once

#include "tests/support/packet.hpp"

namespace orbweaver::craft {

/// So many octets behind the ethertype `type`, and then what is in it: its ethertype first where it has one.
class Tag {
public:
  Tag(std::uint16_t type, Bytes octets, bool names_content)
      : type_(type), octets_(std::move(octets)), names_content_(names_content) {}
  void prepend(Assembly& assembly) const;

private:
  std::uint16_t type_;
  Bytes octets_;
  bool names_content_;
};

// In front of another ethertype.
Tag vn_tag();
Tag e_tag();
Tag metadata_tag(std::uint8_t length = 1); ///< Cisco's, with a group tag
Tag redundancy_tag();
Tag seamless_tag();
/// MACsec's: its control octet, and the short length.
Tag macsec_tag(std::uint8_t control = 0, std::uint8_t short_length = 0);

// In front of a frame.
Tag backbone_tag(std::uint32_t service); ///< IEEE 802.1ah
Tag fabric_path_tag();
Tag trill_header(unsigned option_words = 0);

/// A network service header of metadata type 2, with so many words behind its first two.
struct ServiceHeader {
  unsigned words;
  std::uint16_t flags;
  void prepend(Assembly& assembly) const;
};
inline ServiceHeader service_header(unsigned words = 0, std::uint16_t flags = 0) {
  return {words, flags};
}

/// A pseudo-wire's control word.
struct ControlWord {
  void prepend(Assembly& assembly) const { craft::prepend(assembly.bytes, Bytes{0, 0, 0, 1}); }
};
inline ControlWord control_word() {
  return {};
}

} // namespace orbweaver::craft
