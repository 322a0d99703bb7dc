// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/dns_message.hpp"

#include "common/dns_shape.hpp"

#include <ldns/ldns.h>
#include <memory>

namespace orbweaver {
namespace {

constexpr std::size_t header_octets = 12;

bool is_assigned_class(unsigned number) noexcept {
  return number == LDNS_RR_CLASS_IN || number == LDNS_RR_CLASS_CH || number == LDNS_RR_CLASS_HS ||
         number == LDNS_RR_CLASS_NONE || number == LDNS_RR_CLASS_ANY;
}

/// Goes past one record; false where there is none, or its class is not assigned.
bool pass_record(std::span<const std::uint8_t> message, std::size_t& at, ldns_pkt_section section,
                 bool multicast) noexcept {
  ldns_rr* parsed = nullptr;
  if (ldns_wire2rr(&parsed, message.data(), message.size(), &at, section) != LDNS_STATUS_OK)
    return false;
  const std::unique_ptr<ldns_rr, decltype(&ldns_rr_free)> owner(parsed, ldns_rr_free);
  if (ldns_rr_get_type(parsed) == LDNS_RR_TYPE_OPT)
    return true; // whose class is a size (RFC 6891, 6.1.2)
  const unsigned number = ldns_rr_get_class(parsed);
  return is_assigned_class(multicast ? number & 0x7fff : number);
}

/// Whether type, length and value follow one another up to the end (RFC 8490, 5.4.1).
bool are_operations(std::span<const std::uint8_t> octets) noexcept {
  while (octets.size() >= 4) {
    const std::size_t length = std::size_t{octets[2]} << 8 | octets[3];
    if (length > octets.size() - 4)
      return false;
    octets = octets.subspan(4 + length);
  }
  return octets.empty();
}

} // namespace

bool is_dns_response(std::span<const std::uint8_t> message, bool multicast) noexcept {
  if (!may_be_dns_response(message))
    return false;
  if (dns_opcode(message) == dns_stateful_operations)
    return are_operations(message.subspan(header_octets));
  constexpr ldns_pkt_section sections[] = {LDNS_SECTION_QUESTION, LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY,
                                           LDNS_SECTION_ADDITIONAL};
  std::size_t at = header_octets;
  for (std::size_t section = 0; section < std::size(sections); ++section)
    for (unsigned left = dns_count(message, section); left > 0; --left)
      if (!pass_record(message, at, sections[section], multicast))
        return false;
  return at == message.size();
}

} // namespace orbweaver
