// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

std::string marked(const std::string& codepoint) {
  return "chain output { type route hook output priority mangle; meta l4proto { tcp, udp } ip dscp set " + codepoint +
         "; meta l4proto { tcp, udp } ip6 dscp set " + codepoint + "; }";
}

} // namespace

TEST_CASE("dscp is synchronized, connects by HTTP unless told otherwise, and changes the system") {
  const auto entry = plugins::dscp();
  CHECK(about(entry) == "dscp | synchronized; http tcp dnstcp dnsudp | basic dscp tcp dns");
  CHECK(arguments(entry).connect == "http");
  CHECK(entry.description.changes_system);
  CHECK(entry.description.options.size() == 1);
}

TEST_CASE("dscp marks nothing, then all that leaves with code point 48, and its connections are plain") {
  const auto plugin = configured(plugins::dscp());
  CHECK(systems(*plugin) == Strings{"", marked("48")});
  CHECK(asked(*plugin) == Strings{"", ""});
}

TEST_CASE("dscp marks with each code point that it is given, in order, and not with 48 then") {
  const auto plugin = configured(plugins::dscp(), {"--codepoint", "63", "--codepoint=0", "--codepoint", "10"});
  CHECK(systems(*plugin) == Strings{"", marked("63"), marked("0"), marked("10")});
  CHECK(asked(*plugin) == Strings{"", "", "", ""});
}

TEST_CASE("dscp refuses what is no code point, and names the option and the value") {
  for (const std::string value : {"64", "-1", "4.8", "ef", "0x10", "+5"}) {
    INFO(value);
    std::string error;
    try {
      arguments(plugins::dscp(), {"--codepoint=" + value});
    } catch (const std::runtime_error& refused) {
      error = refused.what();
    }
    CHECK(error.starts_with("--codepoint: '" + value + "' is not a whole number from 0 to 63"));
  }
}
