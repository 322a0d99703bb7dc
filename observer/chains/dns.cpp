// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/chains/dns.hpp"

#include "common/dns_shape.hpp"

#include <ldns/ldns.h>
#include <memory>

namespace orbweaver {

bool DnsChain::is_response(std::span<const std::uint8_t> message) noexcept {
  if (!may_be_dns_response(message))
    return false;
  ldns_pkt* parsed = nullptr;
  if (ldns_wire2pkt(&parsed, message.data(), message.size()) != LDNS_STATUS_OK)
    return false;
  const std::unique_ptr<ldns_pkt, decltype(&ldns_pkt_free)> owner(parsed, ldns_pkt_free);
  return ldns_pkt_qr(parsed);
}

bool DnsChain::is_response_over_tcp(std::span<const std::uint8_t> payload) noexcept {
  return is_response(dns_over_tcp(payload));
}

} // namespace orbweaver
