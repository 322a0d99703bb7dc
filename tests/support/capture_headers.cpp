// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/capture_headers.hpp"

namespace orbweaver::craft {
namespace {

constexpr std::uint16_t ipv6_ether_type = 0x86dd;

void put(Assembly& assembly, const Bytes& header) {
  prepend(assembly.bytes, header);
  assembly.ether_type = assembly.ppp_protocol = 0;
}

} // namespace

void CiscoHdlc::prepend(Assembly& assembly) const {
  Bytes header;
  append_u8(header, address);
  append_u8(header, 0);
  append_u16(header, assembly.ether_type);
  put(assembly, header);
}

void Snap::prepend(Assembly& assembly) const {
  Bytes header{0xaa, 0xaa, 3, 0, 0, 0};
  append_u16(header, assembly.ether_type);
  put(assembly, header);
}

void FrameRelay::prepend(Assembly& assembly) const {
  Bytes header(address_, 0x18);
  header.back() |= 1;
  if (form_ != Form::cisco) {
    header.push_back(3);
    if (padded_)
      header.push_back(0);
  }
  if (form_ == Form::identifier)
    header.push_back(assembly.ether_type == ipv6_ether_type ? 0x8e : 0xcc);
  if (form_ == Form::snap)
    append(header, Bytes{0x80, 0, 0, 0});
  if (form_ != Form::identifier)
    append_u16(header, assembly.ether_type);
  put(assembly, header);
}

void Wireless::prepend(Assembly& assembly) const {
  Snap{}.prepend(assembly);
  if (aggregated_) {
    Bytes subframe(12, 4);
    append_u16(subframe, assembly.bytes.size());
    craft::prepend(assembly.bytes, subframe);
  }
  Bytes header;
  append_u8(header, 0x08U | subtype_ << 4U | (quality_ ? 0x80U : 0U));
  append_u8(header, flags_);
  header.resize((flags_ & 3) == 3 ? 30 : 24, 2);
  header[22] = fragment_;
  if (quality_)
    append_u16(header, aggregated_ ? 0x80 : 0, std::endian::little);
  if (quality_ && (flags_ & 0x80))
    append_u32(header, 0);
  if (padded_)
    pad_to_multiple(header, 4);
  put(assembly, header);
}

void Radiotap::prepend(Assembly& assembly) const {
  constexpr std::uint32_t time_and_flags = 3, more = 0x80000000;
  Bytes header{0, 0, 0, 0};
  for (unsigned word = 0; word < words; ++word)
    append_u32(header, (word == 0 ? time_and_flags : 0) | (word + 1 < words ? more : 0), std::endian::little);
  pad_to_multiple(header, 8);
  append_u64(header, 12345);
  header.push_back(flags);
  store_u16(header, 2, header.size(), std::endian::little);
  if (flags & 0x10)
    append_u32(assembly.bytes, 0xdeadbeef);
  put(assembly, header);
}

Raw prism_header() {
  Bytes header(144, 0x44);
  return {header};
}

Raw avs_header(std::uint32_t length) {
  Bytes header;
  append_u32(header, 0x80211001);
  append_u32(header, length);
  header.resize(length);
  return {header};
}

Raw ppi_header(std::uint32_t link_type, std::uint16_t length) {
  Bytes header;
  append_u16(header, 0);
  append_u16(header, length, std::endian::little);
  append_u32(header, link_type, std::endian::little);
  header.resize(length);
  return {header};
}

Raw pktap_header(std::uint32_t link_type, std::uint32_t length) {
  Bytes header;
  for (const std::uint32_t word : {length, 1u, link_type})
    append_u32(header, word, std::endian::little);
  header.resize(length);
  return {header};
}

Raw pflog_header(std::uint8_t family, std::uint8_t length) {
  Bytes header;
  append_u8(header, length);
  append_u8(header, family);
  header.resize((length + 3u) & ~3u);
  return {header};
}

Raw old_pflog_header(std::uint32_t family) {
  Bytes header;
  append_u32(header, family);
  header.resize(28);
  return {header};
}

Raw juniper_header(std::uint8_t flags, const Bytes& cookie, std::size_t extensions) {
  Bytes header{'M', 'G', 'C', flags};
  if (flags & 0x80) {
    append_u16(header, extensions);
    header.resize(header.size() + extensions, 1);
  }
  append(header, cookie);
  return {header};
}

void Nflog::prepend(Assembly& assembly) const {
  constexpr std::uint16_t packet_header = 1, prefix = 10, payload = 9;
  Bytes header{family, 0, 0, 1};
  append_u16(header, 8, order);
  append_u16(header, packet_header, order);
  append_u16(header, assembly.ether_type);
  append_u16(header, 0);
  append_u16(header, 7, order); // one octet of padding behind it
  append_u16(header, prefix, order);
  append_u32(header, 0x61620000);
  append_u16(header, assembly.bytes.size() + 4, order);
  append_u16(header, payload, order);
  pad_to_multiple(assembly.bytes, 4);
  put(assembly, header);
}

} // namespace orbweaver::craft
