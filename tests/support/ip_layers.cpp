// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/ip_layers.hpp"

#include <arpa/inet.h>

#include <stdexcept>

namespace orbweaver::craft {
namespace {

constexpr std::size_t extension_unit = 8;

template <std::size_t N>
std::array<std::uint8_t, N> parse_address(int family, std::string_view text) {
  std::array<std::uint8_t, N> address{};
  if (inet_pton(family, std::string(text).c_str(), address.data()) != 1)
    throw std::invalid_argument("not an address: " + std::string(text));
  return address;
}

/// Settles the transport checksum inside, now that the addresses are known.
void fill_checksum(Assembly& assembly, std::span<const std::uint8_t> source,
                   std::span<const std::uint8_t> destination) {
  if (!assembly.checksum)
    return;
  const PendingChecksum pending = *assembly.checksum;
  assembly.checksum.reset();
  Bytes summed; // the numbers are 32 bits wide for IPv4 too: leading zeros do not change a sum
  append(summed, source);
  append(summed, destination);
  append_u32(summed, pending.length);
  append_u32(summed, pending.protocol);
  Bytes& bytes = assembly.bytes;
  append(summed, std::span(bytes).last(pending.start_from_end).first(pending.coverage));
  std::uint16_t sum = internet_checksum(summed);
  if (sum == 0 && pending.zero_is_sent_as_ones)
    sum = 0xffff;
  store_u16(bytes, bytes.size() - pending.field_from_end, sum);
}

void name_ip(Assembly& assembly, std::uint16_t ether_type, std::uint16_t ppp_protocol, std::uint8_t ip_protocol) {
  assembly.ether_type = ether_type;
  assembly.ppp_protocol = ppp_protocol;
  assembly.ip_protocol = ip_protocol;
}

void name_ipv4(Assembly& assembly) {
  name_ip(assembly, 0x0800, 0x0021, 4);
}
void name_ipv6(Assembly& assembly) {
  name_ip(assembly, 0x86dd, 0x0057, 41);
}

/// A header made of options (hop-by-hop, destination), filled up by Pad1 or PadN.
ExtensionHeader options_header(std::uint8_t protocol, const Bytes& options) {
  Bytes body{0};
  append(body, options);
  const std::size_t missing = (extension_unit - (1 + body.size()) % extension_unit) % extension_unit;
  if (missing == 1)
    append_u8(body, 0);
  else if (missing > 1) {
    append_u8(body, 1);
    append_u8(body, missing - 2);
    body.resize(body.size() + missing - 2);
  }
  body[0] = static_cast<std::uint8_t>((1 + body.size()) / extension_unit - 1);
  return {protocol, std::move(body)};
}

} // namespace

Ipv4::Ipv4(std::string_view source, std::string_view destination)
    : source_(parse_address<4>(AF_INET, source)), destination_(parse_address<4>(AF_INET, destination)) {}

void Ipv4::prepend(Assembly& assembly) const {
  fill_checksum(assembly, source_, destination_);
  Bytes options = options_;
  pad_to_multiple(options, 4);
  const std::size_t header_length = 20 + options.size();
  Bytes header;
  append_u8(header, 0x40U | (header_words_.value_or(static_cast<std::uint8_t>(header_length / 4)) & 0xfU));
  append_u8(header, traffic_class_);
  append_u16(header, total_length_.value_or(static_cast<std::uint16_t>(header_length + assembly.bytes.size())));
  append_u16(header, id_);
  append_u16(header, flags_ | (fragment_offset_ / 8U));
  append_u8(header, ttl_);
  append_u8(header, protocol_.value_or(assembly.ip_protocol));
  append_u16(header, 0);
  append(header, source_);
  append(header, destination_);
  append(header, options);
  store_u16(header, 10, checksum_.value_or(internet_checksum(header)));
  craft::prepend(assembly.bytes, header);
  name_ipv4(assembly);
}

Ipv6::Ipv6(std::string_view source, std::string_view destination)
    : source_(parse_address<16>(AF_INET6, source)), destination_(parse_address<16>(AF_INET6, destination)) {}

void Ipv6::prepend(Assembly& assembly) const {
  fill_checksum(assembly, source_, destination_);
  Bytes header;
  append_u32(header, (6U << 28) | (std::uint32_t{traffic_class_} << 20) | (flow_label_ & 0xfffff));
  append_u16(header, payload_length_.value_or(static_cast<std::uint16_t>(assembly.bytes.size())));
  append_u8(header, next_header_.value_or(assembly.ip_protocol));
  append_u8(header, hop_limit_);
  append(header, source_);
  append(header, destination_);
  craft::prepend(assembly.bytes, header);
  name_ipv6(assembly);
}

void ExtensionHeader::prepend(Assembly& assembly) const {
  Bytes header{next_header_.value_or(assembly.ip_protocol)};
  append(header, body_);
  craft::prepend(assembly.bytes, header);
  assembly.ip_protocol = protocol_;
}

ExtensionHeader hop_by_hop(Bytes options) {
  return options_header(0, options);
}

ExtensionHeader destination_options(Bytes options) {
  return options_header(60, options);
}

ExtensionHeader routing(std::uint8_t segments_left, std::uint8_t type) {
  return {43, {0, type, segments_left, 0, 0, 0, 0}};
}

ExtensionHeader fragment(std::uint16_t offset, bool more, std::uint32_t id) {
  Bytes body{0};
  append_u16(body, (offset & ~7U) | (more ? 1U : 0U));
  append_u32(body, id);
  return {44, std::move(body)};
}

ExtensionHeader authentication(std::uint32_t parameter_index, std::uint32_t sequence) {
  Bytes body{4, 0, 0}; // 24 octets: six words, less two
  append_u32(body, parameter_index);
  append_u32(body, sequence);
  body.resize(body.size() + 12);
  return {51, std::move(body)};
}

ExtensionHeader mobility() {
  return {135, {0, 0, 0, 0, 0, 0, 0}};
}

ExtensionHeader hip() {
  Bytes body{4, 1, 0x21}; // 40 octets; I1; version 2 and the fixed low bit
  body.resize(39);
  return {139, std::move(body)};
}

ExtensionHeader shim6() {
  return {140, {0, 0x80, 0, 0, 0, 0, 1}};
}

void Esp::prepend(Assembly& assembly) const {
  Bytes header;
  append_u32(header, parameter_index);
  append_u32(header, sequence);
  craft::prepend(assembly.bytes, header);
  assembly.ip_protocol = 50;
}

void NoNextHeader::prepend(Assembly& assembly) const {
  assembly.ip_protocol = 59;
}

void Datagram::prepend(Assembly& assembly) const {
  craft::prepend(assembly.bytes, content);
  if (!content.empty() && content.front() >> 4 == 6)
    name_ipv6(assembly);
  else
    name_ipv4(assembly);
}

} // namespace orbweaver::craft
