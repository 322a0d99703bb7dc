// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/transport_layers.hpp"

namespace orbweaver::craft {
namespace {

/// Puts a transport header in place. Without a checksum of its own it gets the right one from the IP header around it,
/// stored at `field` and summed over `coverage` octets.
void prepend_transport(Assembly& assembly, const Bytes& header, std::uint8_t protocol, std::size_t field,
                       std::optional<std::uint16_t> checksum, std::size_t coverage, bool zero_is_sent_as_ones) {
  prepend(assembly.bytes, header);
  assembly.ip_protocol = protocol;
  const std::size_t size = assembly.bytes.size();
  if (checksum)
    store_u16(assembly.bytes, field, *checksum);
  else
    assembly.checksum = PendingChecksum{.field_from_end = size - field,
                                        .start_from_end = size,
                                        .coverage = coverage,
                                        .length = static_cast<std::uint32_t>(size),
                                        .protocol = protocol,
                                        .zero_is_sent_as_ones = zero_is_sent_as_ones};
}

} // namespace

Tcp& Tcp::option(std::uint8_t kind, std::span<const std::uint8_t> data) {
  append_u8(options_, kind);
  append_u8(options_, 2 + data.size());
  append(options_, data);
  return *this;
}

Tcp& Tcp::mss(std::uint16_t value) {
  Bytes data;
  append_u16(data, value);
  return option(2, data);
}

Tcp& Tcp::window_scale(std::uint8_t shift) {
  const Bytes data{shift};
  return option(3, data);
}

Tcp& Tcp::timestamps(std::uint32_t value, std::uint32_t echo) {
  Bytes data;
  append_u32(data, value);
  append_u32(data, echo);
  return option(8, data);
}

Tcp& Tcp::experiment(std::uint8_t kind, std::uint16_t id, std::span<const std::uint8_t> data) {
  Bytes body;
  append_u16(body, id);
  append(body, data);
  return option(kind, body);
}

void Tcp::prepend(Assembly& assembly) const {
  Bytes options = options_;
  pad_to_multiple(options, 4);
  const auto words = static_cast<std::uint8_t>(5 + options.size() / 4);
  Bytes header;
  append_u16(header, source_);
  append_u16(header, destination_);
  append_u32(header, seq_);
  append_u32(header, ack_);
  append_u8(header, std::uint64_t{data_offset_.value_or(words)} << 4);
  append_u8(header, flags_);
  append_u16(header, window_);
  append_u32(header, 0); // checksum, urgent pointer
  append(header, options);
  prepend_transport(assembly, header, 6, 16, checksum_, header.size() + assembly.bytes.size(), false);
}

void Udp::prepend(Assembly& assembly) const {
  const std::size_t length = 8 + assembly.bytes.size();
  Bytes header;
  append_u16(header, source_);
  append_u16(header, destination_);
  append_u16(header, length_.value_or(static_cast<std::uint16_t>(length)));
  append_u16(header, 0);
  prepend_transport(assembly, header, 17, 6, checksum_, length, true);
}

void UdpLite::prepend(Assembly& assembly) const {
  const std::size_t length = 8 + assembly.bytes.size();
  Bytes header;
  append_u16(header, source_port);
  append_u16(header, destination_port);
  append_u16(header, coverage);
  append_u16(header, 0);
  prepend_transport(assembly, header, 136, 6, {}, coverage == 0 ? length : coverage, true);
}

void Sctp::prepend(Assembly& assembly) const {
  Bytes header;
  append_u16(header, source_port);
  append_u16(header, destination_port);
  append_u32(header, verification_tag);
  append_u32(header, 0);
  craft::prepend(assembly.bytes, header);
  store_u32(assembly.bytes, 8, crc32c(assembly.bytes), std::endian::little);
  assembly.ip_protocol = 132;
}

Payload sctp_chunk(std::uint8_t type, const Bytes& value, std::uint8_t flags) {
  Bytes chunk{type, flags};
  append_u16(chunk, 4 + value.size());
  append(chunk, value);
  pad_to_multiple(chunk, 4);
  return {std::move(chunk)};
}

} // namespace orbweaver::craft
