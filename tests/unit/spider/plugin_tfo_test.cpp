// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("tfo is desynchronized, asks a name server unless told otherwise, and leaves the system as it is") {
  const auto entry = plugins::tfo();
  CHECK(about(entry) == "tfo | desynchronized; dnstcp http https | basic tcp tfo delivery");
  CHECK(arguments(entry).connect == "dnstcp");
  CHECK_FALSE(entry.description.changes_system);
  CHECK(entry.description.options.empty());
}

TEST_CASE("tfo connects plainly, then twice by Fast Open: for the cookie, and with it") {
  const auto plugin = configured(plugins::tfo());
  CHECK(asked(*plugin) == Strings{"", "fast open", "fast open"});
  CHECK(systems(*plugin).empty());
}
