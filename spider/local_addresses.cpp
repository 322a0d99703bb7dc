// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/local_addresses.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/json_string.hpp"
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
  std::string path;
  const auto add = [&path](const std::string& text) {
    if (!path.empty())
      path += ',';
    append_json_string(path, text);
  };
  const auto append_address = [&members](const char* key, const Address& address) {
    append_json_string(members.append(key), address_text(address));
  };
  const auto as_name = [](std::uint32_t number) { return "AS" + std::to_string(number); };
  if (source.version != 0) {
    add(address_text(source));
    append_address(R"(,"sip":)", source);
  }
  if (seen.version != 0) {
    if (!same(seen, source))
      add(address_text(seen));
    append_address(R"(,"sip_public":)", seen);
  }
  if (asn) {
    add(as_name(*asn));
    members.append(R"(,"sip_asn":)").append(std::to_string(*asn));
  }
  if (job.destination_asn)
    add(as_name(*job.destination_asn));
  add(address_text(job.destination));
  members.append(R"(,"path":[)").append(path) += ']';
}

} // namespace orbweaver
