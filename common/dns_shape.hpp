// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a payload can be a DNS response at all, seen from its header alone: keeps other payloads out of the rings.
// Capture and is_dns_response() ask the same question, so that what capture leaves out is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

/// Of a message with a header: its opcode, and how many records it announces for a section, questions first.
[[nodiscard]] constexpr unsigned dns_opcode(std::span<const std::uint8_t> message) noexcept {
  return message[2] >> 3 & 0xfu;
}
[[nodiscard]] constexpr unsigned dns_count(std::span<const std::uint8_t> message, std::size_t section) noexcept {
  return static_cast<unsigned>(message[4 + 2 * section] << 8 | message[5 + 2 * section]);
}

inline constexpr unsigned dns_update = 5, dns_stateful_operations = 6; // opcodes (RFC 2136, RFC 8490)

/// Whether `message` (a whole DNS message, without TCP's length prefix) may parse as a response: it has a header with
/// QR set, an opcode and a response code that are assigned (IANA, DNS parameters), and is as long as the records that
/// the header announces need at the least (RFC 1035, 4.1). Where it announces none, nothing follows the header, and
/// that says an error or answers an update; but for DNS stateful operations, which have no records.
[[nodiscard]] constexpr bool may_be_dns_response(std::span<const std::uint8_t> message) noexcept {
  constexpr std::size_t header_octets = 12, question_octets = 5, record_octets = 11;
  constexpr unsigned last_response_code = 11;
  if (message.size() < header_octets || !(message[2] & 0x80))
    return false;
  const unsigned opcode = dns_opcode(message), response_code = message[3] & 0xfu;
  if (opcode == 3 || opcode > dns_stateful_operations || response_code > last_response_code)
    return false;
  const std::size_t questions = dns_count(message, 0);
  const std::size_t records = std::size_t{dns_count(message, 1)} + dns_count(message, 2) + dns_count(message, 3);
  if (opcode == dns_stateful_operations)
    return questions + records == 0;
  if (questions + records == 0)
    return message.size() == header_octets && (response_code != 0 || opcode == dns_update);
  return header_octets + questions * question_octets + records * record_octets <= message.size();
}

/// The DNS message at the start of a TCP payload (RFC 1035, 4.2.2: two octets of length, then the message); empty where
/// the segment does not hold all of it.
[[nodiscard]] constexpr std::span<const std::uint8_t> dns_over_tcp(std::span<const std::uint8_t> payload) noexcept {
  if (payload.size() < 2)
    return {};
  const std::size_t length = std::size_t{payload[0]} << 8 | payload[1];
  return length <= payload.size() - 2 ? payload.subspan(2, length) : std::span<const std::uint8_t>{};
}

/// The same of a payload of UDP (protocol 17), or of TCP (6), where one segment holds the message. Inlined
/// by force: it is asked of every packet with payload.
[[nodiscard]] [[gnu::always_inline]] constexpr bool fits_dns_response(std::uint8_t protocol,
                                                                      std::span<const std::uint8_t> payload) noexcept {
  return may_be_dns_response(protocol == 17 ? payload : dns_over_tcp(payload));
}

} // namespace orbweaver
