// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/dns_message.hpp"

#include "common/address.hpp"
#include "common/dns_message.hpp"

#include <ldns/ldns.h>
#include <memory>

namespace orbweaver {

namespace {

using Packet = std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)>;

Packet parse(std::span<const std::uint8_t> message) noexcept {
  ldns_pkt* parsed = nullptr;
  if (ldns_wire2pkt(&parsed, message.data(), message.size()) != LDNS_STATUS_OK)
    parsed = nullptr;
  return {parsed, ldns_pkt_free};
}

/// Whether it repeats the query's question, or has none: some servers leave it out of an error.
bool same_question(const ldns_pkt* query, const ldns_pkt* response) noexcept {
  const ldns_rr_list* asked = ldns_pkt_question(query);
  const ldns_rr_list* repeated = ldns_pkt_question(response);
  const std::size_t count = ldns_rr_list_rr_count(repeated);
  return count == 0 || (count == 1 && ldns_rr_compare(ldns_rr_list_rr(asked, 0), ldns_rr_list_rr(repeated, 0)) == 0);
}

} // namespace

std::string dns_name(const ConnectRequest& request) {
  return request.domain.empty() ? address_text(request.destination) : request.domain;
}

std::vector<std::uint8_t> make_dns_query(const std::string& name) {
  ldns_rdf* parsed = ldns_dname_new_frm_str(name.c_str());
  if (!parsed)
    return {};
  const Packet query(ldns_pkt_query_new(parsed, LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, LDNS_RD), ldns_pkt_free);
  if (!query)
    return {};
  ldns_pkt_set_random_id(query.get());
  std::uint8_t* wire = nullptr;
  std::size_t octets = 0;
  if (ldns_pkt2wire(&wire, query.get(), &octets) != LDNS_STATUS_OK)
    return {};
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(wire, std::free);
  return {wire, wire + octets};
}

std::optional<DnsAnswer> read_dns_response(std::span<const std::uint8_t> query, std::span<const std::uint8_t> message) {
  if (!is_dns_response(message))
    return std::nullopt;
  const Packet asked = parse(query), response = parse(message);
  if (!asked || !response || ldns_pkt_id(response.get()) != ldns_pkt_id(asked.get()) ||
      !same_question(asked.get(), response.get()))
    return std::nullopt;
  return DnsAnswer{ldns_pkt_get_rcode(response.get()), ldns_pkt_ancount(response.get())};
}

} // namespace orbweaver
