// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/local_addresses.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/system/network_interface.hpp"

#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>

namespace orbweaver {

namespace {

bool same(const Address& a, const Address& b) noexcept {
  return a.version == b.version && std::memcmp(a.octets, b.octets, a.version == 4 ? 4 : 16) == 0;
}

bool on_link(const Address& address) noexcept {
  return address.version == 6 && address.octets[0] == 0xFE && (address.octets[1] & 0xC0) == 0x80; // RFC 4291, 2.4
}

Address address_of(const sockaddr& socket_address) noexcept {
  Address address{};
  if (socket_address.sa_family == AF_INET) {
    std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in&>(socket_address).sin_addr, 4);
    address.version = 4;
  } else if (socket_address.sa_family == AF_INET6) {
    std::memcpy(address.octets, &reinterpret_cast<const sockaddr_in6&>(socket_address).sin6_addr, 16);
    address.version = 6;
  }
  return address;
}

} // namespace

LocalAddresses LocalAddresses::of(const std::string& interface) {
  LocalAddresses local;
  local.interface = interface;
  require_interface(interface);
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0)
    throw Error("cannot read the addresses of " + interface + ": " + errno_text());
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(first, freeifaddrs);
  for (const ifaddrs* entry = first; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || entry->ifa_name != interface)
      continue;
    const Address address = address_of(*entry->ifa_addr);
    Address& place = address.version == 4 ? local.ip4 : on_link(address) ? local.ip6_link : local.ip6;
    if (address.version != 0 && place.version == 0)
      place = address;
  }
  if (local.ip4.version == 0 && local.ip6.version == 0 && local.ip6_link.version == 0)
    throw UsageError("interface " + interface + " has no address: give it one, or choose another of " +
                     interface_names());
  return local;
}

void LocalAddresses::set_public(const std::vector<std::string>& addresses) {
  for (const auto& text : addresses) {
    const Address address = parse_address(text);
    if (address.version == 0)
      throw UsageError("--public-address " + text + ": that is no address");
    (address.version == 4 ? public_ip4 : public_ip6) = address;
  }
}

Address LocalAddresses::source_for(const Address& target) const noexcept {
  if (target.version == 6)
    return on_link(target) ? ip6_link : ip6;
  return target.version == 4 ? ip4 : Address{};
}

void LocalAddresses::describe(const Job& job, std::string& members) const {
  const Address source = source_for(job.destination);
  const Address& seen = job.destination.version == 4 ? public_ip4 : public_ip6;
  std::vector<std::string> path;
  auto object = json::Object::members_of(members);
  if (source.version != 0)
    object.add("sip", path.emplace_back(address_text(source)));
  if (seen.version != 0) {
    object.add("sip_public", address_text(seen));
    if (!same(seen, source))
      path.push_back(address_text(seen));
  }
  if (asn) {
    object.add("sip_asn", *asn);
    path.push_back("AS" + std::to_string(*asn));
  }
  if (job.destination_asn)
    path.push_back("AS" + std::to_string(*job.destination_asn));
  path.push_back(address_text(job.destination));
  object.array("path").add_all(path);
}

} // namespace orbweaver
