// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/tunnel_layers.hpp"

namespace orbweaver::craft {
namespace {

constexpr std::uint8_t gre_protocol = 47;

void put(Assembly& assembly, const Bytes& header, std::uint8_t protocol = 0) {
  prepend(assembly.bytes, header);
  assembly.ether_type = assembly.ppp_protocol = 0;
  assembly.ip_protocol = protocol;
  assembly.checksum.reset();
}

} // namespace

void Gre::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, (checksum_ ? 0x8000U : 0U) | (routes_ ? 0x4000U : 0U) | (key_ ? 0x2000U : 0U) |
                         (sequence_ ? 0x1000U : 0U));
  append_u16(header, type_.value_or(assembly.ether_type));
  if (checksum_ || routes_)
    append_u32(header, 0);
  if (key_)
    append_u32(header, *key_);
  if (sequence_)
    append_u32(header, *sequence_);
  if (routes_) {
    for (unsigned route = 0; route < *routes_; ++route)
      append(header, Bytes{8, 0, 0, 4, 10, 0, 0, 9});
    append_u32(header, 0);
  }
  put(assembly, header, gre_protocol);
}

void Pptp::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, acknowledges ? 0x3081 : 0x3001);
  append_u16(header, 0x880b);
  append_u16(header, assembly.bytes.size());
  append_u16(header, call);
  append_u32(header, 1);
  if (acknowledges)
    append_u32(header, 1);
  put(assembly, header, gre_protocol);
}

void Vxlan::prepend(Assembly& assembly) const {
  Bytes header;
  append_u32(header, std::uint32_t{flags} << 24 | protocol);
  append_u32(header, network << 8);
  put(assembly, header);
}

void Geneve::prepend(Assembly& assembly) const {
  Bytes header;
  append_u8(header, option_words);
  append_u8(header, flags);
  append_u16(header, assembly.ether_type);
  append_u32(header, network << 8);
  header.resize(8 + option_words * 4U, 1);
  put(assembly, header);
}

void Gtp::prepend(Assembly& assembly) const {
  const bool extended = !extensions_.empty();
  Bytes optional;
  if (sequence_ || extended)
    append(optional, Bytes{0, 1, 0, static_cast<std::uint8_t>(extended ? 0x85 : 0)});
  for (std::size_t place = 0; place < extensions_.size(); ++place) {
    const std::size_t begin = optional.size();
    append_u8(optional, extensions_[place]);
    if (extensions_[place] == 0)
      continue; // which is none, and leads nowhere
    optional.resize(begin + std::size_t{4} * extensions_[place]);
    optional.back() = place + 1 < extensions_.size() ? 0x85 : 0;
  }
  Bytes header;
  append_u8(header, first_.value_or(static_cast<std::uint8_t>(0x30 | (extended ? 4 : 0) | (sequence_ ? 2 : 0))));
  append_u8(header, type_);
  append_u16(header, optional.size() + assembly.bytes.size());
  append_u32(header, endpoint_);
  append(header, optional);
  put(assembly, header);
}

void L2tp::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, 2U | (length_ ? 0x4000U : 0U) | (numbered_ ? 0x0800U : 0U) | (offset_ ? 0x0200U : 0U));
  if (length_)
    append_u16(header, 0);
  append_u16(header, tunnel_);
  append_u16(header, session_);
  if (numbered_)
    append_u32(header, 1);
  if (offset_) {
    append_u16(header, *offset_);
    header.resize(header.size() + *offset_);
  }
  if (length_)
    store_u16(header, 2, header.size() + assembly.bytes.size());
  put(assembly, header);
}

void InIp::prepend(Assembly& assembly) const {
  put(assembly, octets, protocol);
}

} // namespace orbweaver::craft
