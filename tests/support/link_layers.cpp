// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/link_layers.hpp"

namespace orbweaver::craft {
namespace {

constexpr std::uint16_t mpls_ether_type = 0x8847;
constexpr std::uint16_t ethernet_hardware = 1; // ARPHRD_ETHER
constexpr std::array<std::uint8_t, 8> cooked_address{2, 0, 0, 0, 0, 1, 0, 0};

void prepend_link(Assembly& assembly, const Bytes& header, std::uint16_t ether_type, std::uint16_t ppp_protocol) {
  prepend(assembly.bytes, header);
  assembly.ether_type = ether_type;
  assembly.ppp_protocol = ppp_protocol;
}

} // namespace

void Ethernet::prepend(Assembly& assembly) const {
  constexpr std::size_t shortest_frame = 60;
  Bytes header;
  append(header, destination_);
  append(header, source_);
  append_u16(header, ether_type_.value_or(assembly.ether_type));
  prepend_link(assembly, header, 0x6558, 0x0031); // transparent Ethernet bridging; PPP's bridging protocol
  if (padded_ && assembly.bytes.size() < shortest_frame)
    assembly.bytes.resize(shortest_frame);
}

void Vlan::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, control_);
  append_u16(header, assembly.ether_type);
  prepend_link(assembly, header, tag_type_, 0);
}

void Mpls::prepend(Assembly& assembly) const {
  const unsigned bottom = assembly.ether_type == mpls_ether_type ? 0 : 1;
  Bytes header;
  append_u32(header, (label_ << 12) | ((traffic_class_ & 7U) << 9) | (bottom << 8) | ttl_);
  prepend_link(assembly, header, mpls_ether_type, 0x0281);
}

void PppoeSession::prepend(Assembly& assembly) const {
  Bytes header;
  append_u8(header, 0x11); // version 1, type 1
  append_u8(header, 0);    // session data
  append_u16(header, session);
  append_u16(header, assembly.bytes.size());
  prepend_link(assembly, header, 0x8864, 0);
}

void Ppp::prepend(Assembly& assembly) const {
  Bytes header;
  if (hdlc_)
    header = {0xff, 0x03};
  if (compressed_ && assembly.ppp_protocol < 0x100)
    append_u8(header, assembly.ppp_protocol);
  else
    append_u16(header, assembly.ppp_protocol);
  prepend_link(assembly, header, 0x880b, 0);
}

void LinuxCooked::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, packet_type);
  append_u16(header, ethernet_hardware);
  append_u16(header, 6);
  append(header, cooked_address);
  append_u16(header, assembly.ether_type);
  prepend_link(assembly, header, 0, 0);
}

void LinuxCooked2::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, assembly.ether_type);
  append_u16(header, 0);
  append_u32(header, interface_index);
  append_u16(header, ethernet_hardware);
  append_u8(header, packet_type);
  append_u8(header, 6);
  append(header, cooked_address);
  prepend_link(assembly, header, 0, 0);
}

void NullLoopback::prepend(Assembly& assembly) const {
  constexpr std::uint16_t ipv6_ether_type = 0x86dd;
  constexpr std::uint32_t ipv4_family = 2;
  Bytes header;
  append_u32(header, assembly.ether_type == ipv6_ether_type ? ipv6_family : ipv4_family, order);
  prepend_link(assembly, header, 0, 0);
}

} // namespace orbweaver::craft
