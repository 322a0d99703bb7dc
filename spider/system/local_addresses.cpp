// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/local_addresses.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/system/network_interface.hpp"
#include "spider/connect/socket.hpp"

#include <algorithm>
#include <cstring>
#include <sys/socket.h>

namespace orbweaver {

namespace {

bool same(const Address& a, const Address& b) noexcept {
  return a.version == b.version && std::memcmp(a.octets, b.octets, a.version == 4 ? 4 : 16) == 0;
}

/// 0.0.0.0 and ::, which stand for any; and those of groups (RFC 5771, RFC 4291, 2.7).
bool is_of_one_host(const Address& address) noexcept {
  const bool is_group = address.version == 4 ? address.octets[0] >= 224 : address.octets[0] == 0xFF;
  return !is_group && !std::ranges::all_of(address.octets, [](auto octet) { return octet == 0; });
}

/// Whether a socket can have it: an address that has not been tried out (RFC 4862, 5.4) cannot either.
bool is_own(const Address& address, const std::string& interface) {
  const FileDescriptor probe(socket(address.version == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress name = socket_address(address, 0);
  if (probe) // one of the link is of an interface
    setsockopt(probe.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(), static_cast<socklen_t>(interface.size()));
  return probe && bind(probe.get(), name.get(), name.length) == 0;
}

} // namespace

LocalAddresses LocalAddresses::of(const std::string& interface) {
  require_interface(interface);
  LocalAddresses local;
  local.interface = interface;
  return local;
}

void LocalAddresses::set_sources(const std::vector<std::string>& addresses) {
  for (const auto& text : addresses) {
    const Address address = parse_address(text);
    if (address.version == 0)
      throw UsageError("--source " + text + ": that is no address");
    if (!is_of_one_host(address) || !is_own(address, interface))
      throw UsageError("--source " + text + ": that is no address of this machine (ip address)");
    Address& place = address.version == 4 ? source4 : source6;
    if (place.version != 0 && !same(place, address))
      throw UsageError("--source " + address_text(place) + " and --source " + text +
                       ": give one address of each family");
    place = address;
  }
}

void LocalAddresses::set_public(const std::vector<std::string>& addresses) {
  for (const auto& text : addresses) {
    const Address address = parse_address(text);
    if (address.version == 0)
      throw UsageError("--public-address " + text + ": that is no address");
    (address.version == 4 ? public_ip4 : public_ip6) = address;
  }
}

void LocalAddresses::describe(const Job& job, const Address& source, std::string& members) const {
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
