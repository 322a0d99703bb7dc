// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/dns_message.hpp"

#include "common/address.hpp"
#include "common/dns_message.hpp"

#include <cstdlib>
#include <cstring>
#include <iterator>
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

/// The record of that type which a name owns, from `begin` on, or nullptr.
const ldns_rr* record_of(const ldns_rr_list* records, const ldns_rdf* owner, ldns_rr_type type,
                         std::size_t& begin) noexcept {
  while (begin < ldns_rr_list_rr_count(records)) {
    const ldns_rr* const record = ldns_rr_list_rr(records, begin++);
    if (ldns_rr_get_type(record) == type && ldns_rr_rd_count(record) == 1 &&
        ldns_dname_compare(ldns_rr_owner(record), owner) == 0)
      return record;
  }
  return nullptr;
}

std::string text_of(const ldns_rdf* name) {
  const std::unique_ptr<char, decltype(&std::free)> text(ldns_rdf2str(name), std::free);
  return text ? text.get() : "";
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

std::optional<DnsAddresses> read_dns_addresses(std::span<const std::uint8_t> message, const std::string& name,
                                               DnsType type) {
  const Packet response = parse(message);
  const std::unique_ptr<ldns_rdf, decltype(&ldns_rdf_deep_free)> asked(ldns_dname_new_frm_str(name.c_str()),
                                                                       ldns_rdf_deep_free);
  if (!response || !asked)
    return std::nullopt;
  DnsAddresses result;
  result.rcode = ldns_pkt_get_rcode(response.get());
  result.is_recursive = ldns_pkt_ra(response.get());
  const ldns_rr_list* const records = ldns_pkt_answer(response.get());
  const ldns_rdf* owner = asked.get();
  for (std::size_t hops = 0; hops < ldns_rr_list_rr_count(records); ++hops) {
    std::size_t place = 0;
    const ldns_rr* const alias = record_of(records, owner, LDNS_RR_TYPE_CNAME, place);
    if (!alias)
      break;
    owner = ldns_rr_rdf(alias, 0);
    result.alias = text_of(owner);
  }
  const auto wanted = type == DnsType::a ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
  const std::size_t octets = type == DnsType::a ? 4 : 16;
  std::size_t place = 0;
  while (const ldns_rr* const record = record_of(records, owner, wanted, place)) {
    const ldns_rdf* const data = ldns_rr_rdf(record, 0);
    if (ldns_rdf_size(data) != octets)
      continue;
    Address& address = result.addresses.emplace_back();
    address.version = type == DnsType::a ? 4 : 6;
    std::memcpy(address.octets, ldns_rdf_data(data), octets);
  }
  return result;
}

std::string rcode_name(unsigned rcode) {
  constexpr const char* names[] = {"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
                                   "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};
  return rcode < std::size(names) ? names[rcode] : "rcode " + std::to_string(rcode);
}

} // namespace orbweaver
