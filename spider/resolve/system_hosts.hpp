// SPDX-License-Identifier: GPL-3.0-or-later
// What the system knows of names without the DNS: /etc/hosts (hosts(5)), and where /etc/nsswitch.conf
// (nsswitch.conf(5)) puts it. Read once, when it is made; no state after that, any thread.
#pragma once

#include "common/stream/records/flow_record.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orbweaver {

/// Whom the system asks for a host, in order.
enum class HostSource { files, dns };

/// Of the text of an nsswitch.conf, its line for hosts; files, then dns, where it has none. Services that are neither
/// (mdns4_minimal, myhostname) are passed over; `resolve` is the DNS by another way. `[NOTFOUND=return]` ends the list.
[[nodiscard]] std::vector<HostSource> host_sources(std::string_view nsswitch);

class HostsFile {
public:
  /// Of the text of a hosts file; lines that are none are passed over.
  explicit HostsFile(std::string_view text);

  /// All addresses on the lines of that name, IPv4 first, each once; letter case and a dot at the end do not count.
  [[nodiscard]] std::vector<Address> find(std::string_view name) const;

private:
  std::unordered_multimap<std::string, Address> addresses_; ///< by name, in lower case
};

/// What is asked for a host.
struct SystemHosts {
  std::vector<HostSource> sources;
  HostsFile hosts;

  /// From the files of this system; one that cannot be read is an empty one.
  [[nodiscard]] static SystemHosts read(const std::string& nsswitch = "/etc/nsswitch.conf",
                                        const std::string& hosts = "/etc/hosts");
};

/// In order, IPv4 first, each once.
void sort_addresses(std::vector<Address>& addresses);

} // namespace orbweaver
