// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("ecn is synchronized, connects by HTTP unless told otherwise, and changes the system") {
  const auto entry = plugins::ecn();
  CHECK(about(entry) == "ecn | synchronized; http https tcp dnstcp | basic tcp ecn delivery");
  CHECK(arguments(entry).connect == "http");
  CHECK(entry.description.changes_system);
  CHECK(entry.description.options.empty());
}

TEST_CASE("ecn has the system first only answer to ECN, then ask for it without falling back, and its connections are "
          "plain") {
  const auto plugin = configured(plugins::ecn());
  CHECK(systems(*plugin) == Strings{"net.ipv4.tcp_ecn=2", "net.ipv4.tcp_ecn=1 net.ipv4.tcp_ecn_fallback=0"});
  CHECK(asked(*plugin) == Strings{"", ""});
}
