// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/resolve/system_hosts.hpp"

#include "common/address.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

std::string order(std::string_view nsswitch) {
  std::string text;
  for (const auto source : host_sources(nsswitch))
    text += source == HostSource::files ? 'f' : 'd';
  return text;
}

std::string found(const HostsFile& hosts, std::string_view name) {
  std::string text;
  for (const auto& address : hosts.find(name))
    text += (text.empty() ? "" : " ") + address_text(address);
  return text;
}

} // namespace

TEST_CASE("The order of hosts is that of nsswitch.conf") {
  CHECK(order("") == "fd");
  CHECK(order("passwd: files\n# hosts: dns\n") == "fd");
  CHECK(order("hosts: files dns") == "fd");
  CHECK(order("hosts:\tdns files # both\nhosts: files\n") == "df");
  CHECK(order("hosts: files\n") == "f");
  CHECK(order("hosts: dns") == "d");
  CHECK(order("Hosts: FILES myhostname") == "f");
  CHECK(order("hosts: files mdns4_minimal [NOTFOUND=return] dns") == "fd");
  CHECK(order("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns") == "d");
  CHECK(order("hosts: files [NOTFOUND=return] dns") == "f");
  CHECK(order("hosts: dns [ !UNAVAIL=return SUCCESS=return ] files") == "d");
  CHECK(order("hosts: dns[SUCCESS=return]files") == "df");
}

TEST_CASE("Of a hosts file all lines of a name count, comments and what is no address do not") {
  const HostsFile hosts("127.0.0.1 localhost\n"
                        "::1\tlocalhost ip6-localhost # loopback\n"
                        "# 192.0.2.1 hidden.example\n"
                        "192.0.2.2 a.example A2.Example #no.example\n"
                        "192.0.2.1   a.example\r\n"
                        "192.0.2.2 a.example\n"
                        "2001:db8::300 wrong.example\nnowhere wrong.example\n192.0.2.3\n\n"
                        "2001:db8::4 last.example");
  CHECK(found(hosts, "localhost") == "127.0.0.1 ::1");
  CHECK(found(hosts, "a.example") == "192.0.2.1 192.0.2.2");
  CHECK(found(hosts, "A2.EXAMPLE.") == "192.0.2.2");
  CHECK(found(hosts, "hidden.example") == "");
  CHECK(found(hosts, "no.example") == "");
  CHECK(found(hosts, "wrong.example") == "2001:db8::300");
  CHECK(found(hosts, "last.example") == "2001:db8::4");
}

TEST_CASE("Files that are not there leave the DNS") {
  const auto system = SystemHosts::read("/nonexistent/nsswitch.conf", "/nonexistent/hosts");
  CHECK(system.sources == std::vector{HostSource::files, HostSource::dns});
  CHECK(system.hosts.find("localhost").empty());
}
