// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// What the plugin makes of a connection's members.
std::string members_after(Plugin& plugin, const std::string& domain, const std::string& members) {
  Job job;
  job.domain = domain;
  const auto before = plugin.pre_connect(job);
  ConnectResult result;
  result.members = members;
  plugin.post_connect(result, job, before.get(), 0);
  return result.members;
}

} // namespace

TEST_CASE("example is desynchronized, connects by TCP alone unless told otherwise, and leaves the system as it is") {
  const auto entry = plugins::example();
  CHECK(about(entry) == "example | desynchronized; tcp http | basic tcp");
  CHECK(arguments(entry).connect == "tcp");
  CHECK_FALSE(entry.description.changes_system);
  CHECK(entry.description.options.size() == 1);
}

TEST_CASE("example connects plainly, then asks for HTTP/2") {
  const auto plugin = configured(plugins::example());
  CHECK(asked(*plugin) == Strings{"", "http2"});
  CHECK(systems(*plugin).empty());
}

TEST_CASE("example adds its label, and whether the job has a domain, to what a connection's record has") {
  const auto labelled = configured(plugins::example(), {"--label", "999"});
  CHECK(members_after(*labelled, "example.org", "") == R"("example_label":999,"example_domain":true)");
  const auto plain = configured(plugins::example());
  CHECK(members_after(*plain, "", R"("a":1)") == R"("a":1,"example_label":0,"example_domain":false)");
}

TEST_CASE("example takes one label from 0 to 999") {
  const auto entry = plugins::example();
  CHECK(arguments(entry, {"--label=0"}).values.at("label") == Strings{"0"});
  CHECK(arguments(entry, {"--label=007"}).values.at("label") == Strings{"7"}); // JSON has no 007
  for (const Strings& words : {Strings{"--label=1000"}, {"--label=-1"}, {"--label=1", "--label=2"}}) {
    INFO(joined(words));
    CHECK_THROWS_WITH_AS(arguments(entry, words), doctest::Contains("--label"), std::runtime_error);
  }
}
