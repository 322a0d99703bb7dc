// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/icmp_layers.hpp"

#include <algorithm>

namespace orbweaver::craft {

Icmp& Icmp::quote(Bytes datagram, std::size_t limit) {
  datagram.resize(std::min(datagram.size(), limit));
  quotation_ = std::move(datagram);
  return *this;
}

void Icmp::prepend(Assembly& assembly) const {
  constexpr std::size_t checksum_field = 2;
  constexpr std::uint8_t icmp_protocol = 1;
  constexpr std::uint8_t icmp6_protocol = 58;
  Bytes header;
  append_u8(header, type_);
  append_u8(header, code_);
  append_u16(header, checksum_.value_or(0));
  append_u32(header, rest_);
  append(header, quotation_);
  craft::prepend(assembly.bytes, header);
  assembly.ip_protocol = version_ == Version::v4 ? icmp_protocol : icmp6_protocol;
  if (checksum_)
    return;
  const std::size_t size = assembly.bytes.size();
  if (version_ == Version::v4)
    store_u16(assembly.bytes, checksum_field, internet_checksum(assembly.bytes));
  else
    assembly.checksum = PendingChecksum{.field_from_end = size - checksum_field,
                                        .start_from_end = size,
                                        .coverage = size,
                                        .length = static_cast<std::uint32_t>(size),
                                        .protocol = icmp6_protocol,
                                        .zero_is_sent_as_ones = false};
}

} // namespace orbweaver::craft
