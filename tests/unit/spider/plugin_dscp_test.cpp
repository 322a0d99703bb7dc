// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("dscp is desynchronized, connects by HTTP unless told otherwise, and leaves the system as it is") {
  const auto entry = plugins::dscp();
  CHECK(about(entry) == "dscp | desynchronized; http tcp dnstcp dnsudp | basic dscp tcp dns delivery");
  CHECK(arguments(entry).connect == "http");
  CHECK_FALSE(entry.description.changes_system);
  CHECK(entry.description.options.size() == 1);
  CHECK(systems(*configured(entry)).empty());
}

TEST_CASE("dscp marks nothing, then its connection with code point 48") {
  CHECK(asked(*configured(plugins::dscp())) == Strings{"", "code point 48"});
}

TEST_CASE("dscp marks with each code point that it is given, in order, once, and not with 48 then") {
  const Strings marks{"", "code point 63", "", "code point 10"};
  for (const Strings& words : {Strings{"--codepoint", "63", "--codepoint=0", "--codepoint", "10"},
                               {"--codepoint", "63", "0", "10"},
                               {"--codepoint", "63", "0", "063", "--codepoint=10", "--codepoint=00"}}) {
    INFO(joined(words));
    CHECK(asked(*configured(plugins::dscp(), words)) == marks);
    CHECK(arguments(plugins::dscp(), words).values.at("codepoint") == Strings{"63", "0", "10"});
  }
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
