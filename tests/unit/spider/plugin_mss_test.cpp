// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("mss makes a single connection, by TCP alone unless told otherwise, and leaves the system as it is") {
  const auto entry = plugins::mss();
  CHECK(about(entry) == "mss | single; tcp http https dnstcp | basic tcp mss delivery");
  CHECK(arguments(entry).connect == "tcp");
  CHECK_FALSE(entry.description.changes_system);
  CHECK(entry.description.options.empty());
}

TEST_CASE("mss makes one plain connection") {
  const auto plugin = configured(plugins::mss());
  CHECK(asked(*plugin) == Strings{""});
  CHECK(systems(*plugin).empty());
}
