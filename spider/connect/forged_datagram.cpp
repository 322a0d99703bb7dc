// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/forged_datagram.hpp"

#include "spider/connect/dns_message.hpp"

#include <cstring>
#include <memory>
#include <random>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/rawpdu.h>
#include <tins/tcp.h>
#include <tins/udp.h>
#include <tins/utils/checksum_utils.h>

namespace orbweaver {

namespace {

constexpr std::uint8_t hop_limit = 64;
constexpr std::size_t ip4_header_octets = 20, ip6_header_octets = 40;

std::uint32_t random_number() {
  static std::random_device device;
  return device();
}

/// Null where there is nothing to send.
std::unique_ptr<Tins::PDU> make_transport(const ConnectRequest& request, std::uint16_t source_port) {
  if (request.kind == ConnectKind::tcpsyn) {
    auto syn = std::make_unique<Tins::TCP>(request.destination_port, source_port);
    syn->flags(Tins::TCP::SYN);
    syn->seq(random_number());
    syn->window(64'240);
    syn->mss(request.destination.version == 4 ? 1460 : 1440);
    return syn;
  }
  if (request.kind != ConnectKind::dnsudp)
    return nullptr;
  const auto query = make_dns_query(dns_name(request));
  if (query.empty())
    return nullptr;
  auto datagram = std::make_unique<Tins::UDP>(request.destination_port, source_port);
  datagram->inner_pdu(Tins::RawPDU(query.data(), static_cast<std::uint32_t>(query.size())));
  return datagram;
}

Tins::IPv4Address ip4_address(const Address& address) {
  std::uint32_t network_order;
  std::memcpy(&network_order, address.octets, sizeof network_order);
  return Tins::IPv4Address(network_order);
}

void put(std::vector<std::uint8_t>& datagram, std::size_t at, std::uint16_t value) {
  datagram.at(at) = static_cast<std::uint8_t>(value >> 8);
  datagram.at(at + 1) = static_cast<std::uint8_t>(value);
}

/// libtins leaves the header checksum (RFC 791, 3.1) of an outermost IPv4 header to the system.
void fill_header_checksum(std::vector<std::uint8_t>& datagram) {
  constexpr std::size_t at = 10;
  put(datagram, at, 0);
  // Summed in the machine's order, and so stored in it (RFC 1071, 2).
  const auto checksum =
      static_cast<std::uint16_t>(~Tins::Utils::sum_range(datagram.data(), datagram.data() + ip4_header_octets));
  std::memcpy(&datagram.at(at), &checksum, sizeof checksum);
}

} // namespace

std::vector<std::uint8_t> forge_datagram(const ConnectRequest& request, std::uint16_t source_port, Forgery forgery) {
  const auto transport = make_transport(request, source_port);
  if (!transport)
    return {};
  std::vector<std::uint8_t> datagram;
  const bool ip4 = request.destination.version == 4;
  const auto traffic_class = static_cast<std::uint8_t>(request.code_point << 2); // RFC 3168, 5: two bits are ECN's
  if (ip4) {
    Tins::IP ip(ip4_address(request.destination), ip4_address(request.source));
    ip.ttl(hop_limit);
    ip.tos(traffic_class);
    ip.id(static_cast<std::uint16_t>(random_number() | 1)); // the system would fill in a 0
    if (forgery.evil)
      ip.flags(Tins::IP::FLAG_RESERVED);
    ip.inner_pdu(*transport);
    datagram = ip.serialize();
    fill_header_checksum(datagram);
  } else {
    Tins::IPv6 ip(Tins::IPv6Address(request.destination.octets), Tins::IPv6Address(request.source.octets));
    ip.hop_limit(hop_limit);
    ip.traffic_class(traffic_class);
    ip.inner_pdu(*transport);
    datagram = ip.serialize();
  }
  constexpr std::size_t udp_checksum_at = 6;
  if (forgery.zero_udp_checksum && protocol_of(request.kind) == 17)
    put(datagram, (ip4 ? ip4_header_octets : ip6_header_octets) + udp_checksum_at, 0);
  return datagram;
}

} // namespace orbweaver
