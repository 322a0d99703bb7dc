// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("h2 is desynchronized, connects by HTTP or HTTPS, and leaves the system as it is") {
  const auto entry = plugins::h2();
  CHECK(about(entry) == "h2 | desynchronized; http https | basic tcp delivery");
  CHECK(arguments(entry).connect == "http");
  CHECK_FALSE(entry.description.changes_system);
  CHECK(entry.description.options.empty());
}

TEST_CASE("h2 connects plainly, then asks for HTTP/2") {
  const auto plugin = configured(plugins::h2());
  CHECK(asked(*plugin) == Strings{"", "http2"});
  CHECK(systems(*plugin).empty());
}
