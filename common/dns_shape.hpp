// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a payload can be a DNS response at all, seen from its header alone: keeps other payloads out of the rings.
// Capture and the dns chain ask the same question, so what capture leaves out is what ldns would refuse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

/// Whether `message` (a whole DNS message, without TCP's length prefix) may parse as a response: it has a header with
/// QR set, and is as long as the records that the header announces need at the least (RFC 1035, 4.1).
[[nodiscard]] constexpr bool may_be_dns_response(std::span<const std::uint8_t> message) noexcept {
  constexpr std::size_t header_octets = 12, question_octets = 5, record_octets = 11;
  if (message.size() < header_octets || !(message[2] & 0x80))
    return false;
  const auto count = [&](std::size_t at) { return std::size_t{message[at]} << 8 | message[at + 1]; };
  return header_octets + count(4) * question_octets + (count(6) + count(8) + count(10)) * record_octets <=
         message.size();
}

/// The DNS message at the start of a TCP payload (RFC 1035, 4.2.2: two octets of length, then the message); empty where
/// the segment does not hold all of it.
[[nodiscard]] constexpr std::span<const std::uint8_t> dns_over_tcp(std::span<const std::uint8_t> payload) noexcept {
  if (payload.size() < 2)
    return {};
  const std::size_t length = std::size_t{payload[0]} << 8 | payload[1];
  return length <= payload.size() - 2 ? payload.subspan(2, length) : std::span<const std::uint8_t>{};
}

/// The same of a payload of UDP (protocol 17), or of TCP (6), where one segment holds the message.
[[nodiscard]] constexpr bool fits_dns_response(std::uint8_t protocol, std::span<const std::uint8_t> payload) noexcept {
  return may_be_dns_response(protocol == 17 ? payload : dns_over_tcp(payload));
}

} // namespace orbweaver
