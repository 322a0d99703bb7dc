// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tag_layers.hpp"

namespace orbweaver::craft {

void Tag::prepend(Assembly& assembly) const {
  Bytes header = octets_;
  if (names_content_)
    append_u16(header, assembly.ether_type);
  craft::prepend(assembly.bytes, header);
  assembly.ether_type = type_;
  assembly.ppp_protocol = 0;
}

Tag vn_tag() {
  return {0x8926, {0x80, 1, 0, 2}, true};
}
Tag e_tag() {
  return {0x893f, {0, 1, 0, 2, 0, 0}, true};
}
Tag metadata_tag(std::uint8_t length) {
  Bytes octets;
  append_u8(octets, 1);
  append_u8(octets, length);
  octets.resize(2 + 4U * length, 1);
  return {0x8909, octets, true};
}
Tag redundancy_tag() {
  return {0xf1c1, {0, 0, 0, 9}, true};
}
Tag seamless_tag() {
  return {0x892f, {0x10, 0x40, 0, 9}, true};
}
Tag macsec_tag(std::uint8_t control, std::uint8_t short_length) {
  Bytes octets{control, short_length, 0, 0, 0, 1};
  if (control & 0x20)
    octets.resize(14, 5);
  return {0x88e5, octets, true};
}
Tag backbone_tag(std::uint32_t service) {
  Bytes octets;
  append_u32(octets, service);
  return {0x88e7, octets, false};
}
Tag fabric_path_tag() {
  return {0x8903, {0, 0x60}, false};
}
Tag trill_header(unsigned option_words) {
  Bytes octets;
  append_u16(octets, option_words << 6 | 20);
  octets.resize(6 + option_words * 4, 3);
  return {0x22f3, octets, false};
}

void ServiceHeader::prepend(Assembly& assembly) const {
  const std::uint8_t next = assembly.ether_type == 0x0800   ? 1
                            : assembly.ether_type == 0x86dd ? 2
                            : assembly.ether_type == 0x894f ? 4
                            : assembly.ether_type == 0x8847 ? 5
                                                            : 3;
  Bytes header;
  append_u16(header, flags | (2 + words));
  append_u8(header, 2);
  append_u8(header, next);
  header.resize(8 + words * 4U, 7);
  craft::prepend(assembly.bytes, header);
  assembly.ether_type = 0x894f;
}

} // namespace orbweaver::craft
