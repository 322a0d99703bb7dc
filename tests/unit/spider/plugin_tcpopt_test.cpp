// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("tcpopt is synchronized, connects by HTTP unless told otherwise, and changes the system") {
  const auto entry = plugins::tcpopt();
  CHECK(about(entry) == "tcpopt | synchronized; http https tcp dnstcp | basic tcp tcpopt delivery");
  CHECK(arguments(entry).connect == "http");
  CHECK(entry.description.changes_system);
  CHECK(entry.description.options.empty());
}

TEST_CASE("tcpopt has the system offer no option, then timestamps, window scaling and SACK, each alone") {
  const auto plugin = configured(plugins::tcpopt());
  CHECK(systems(*plugin) == Strings{"net.ipv4.tcp_timestamps=0 net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_sack=0",
                                    "net.ipv4.tcp_timestamps=1 net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_sack=0",
                                    "net.ipv4.tcp_timestamps=0 net.ipv4.tcp_window_scaling=1 net.ipv4.tcp_sack=0",
                                    "net.ipv4.tcp_timestamps=0 net.ipv4.tcp_window_scaling=0 net.ipv4.tcp_sack=1"});
  CHECK(asked(*plugin) == Strings{"", "", "", ""});
}
