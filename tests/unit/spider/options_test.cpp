// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/options.hpp"
#include "spider/plugins/library.hpp"

#include <utility>
#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

/// A command line that is read.
struct Line {
  explicit Line(std::vector<std::string> words) {
    add_arguments(app, arguments, {plugins::dscp(), plugins::mss()});
    app.parse(std::move(words));
  }

  SpiderArguments arguments;
  CommandLine app{"", "test"};
};

} // namespace

TEST_CASE("the spider's command line has the plugin, its options, and those of the program on either side") {
  const Line line({"-i", "eth0", "--rate=2.5", "dscp", "--codepoint=1", "--codepoint=08", "--connect", "tcp", "--out",
                   "ring:jobs", "-w", "7"});
  const auto& arguments = line.arguments;
  CHECK(arguments.interface == "eth0");
  CHECK(arguments.out == "ring:jobs");
  CHECK(arguments.spider.rate == 2.5);
  CHECK(arguments.spider.workers == 7);
  REQUIRE(arguments.chosen());
  CHECK(arguments.chosen()->entry.description.name == "dscp");
  CHECK(arguments.chosen()->arguments.connect == "tcp");
  CHECK(arguments.chosen()->arguments.values.at("codepoint") == std::vector<std::string>{"1", "8"});
}

TEST_CASE("without a plugin none is chosen, and what is not said has its default") {
  const Line line({"--filter", "--dp", "443"});
  const auto& arguments = line.arguments;
  CHECK_FALSE(arguments.chosen());
  CHECK(arguments.filter);
  CHECK(arguments.filter_port == 443);
  CHECK(arguments.input_name() == "standard input");
  CHECK(arguments.timeout_s == 5);
  CHECK_FALSE(arguments.asn);
}

TEST_CASE("the spider refuses two plugins, and values out of range") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"dscp", "mss"},
                                                {"--rate=0"},
                                                {"--timeout=3601"},
                                                {"-w", "0"},
                                                {"--asn=4294967296"},
                                                {"--dp=0"},
                                                {"--job-ring-mib=0"},
                                                {"dscp", "--codepoint=64"},
                                                {"mss", "--connect=carrier-pigeon"}})
    CHECK_THROWS_AS(Line{words}, CommandLineError);
}
