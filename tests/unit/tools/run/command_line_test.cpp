// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "common/process/options/chain_list.hpp"
#include "tools/run/options/cpu_list.hpp"
#include "tools/run/options/observe_options.hpp"
#include "tools/stats/stats_command.hpp"
#include "tools/usage.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

struct FrontCommand {
  FrontCommand() {
    app.allow_one_subcommand();
    add_observe_command(app, observe);
    add_stats_command(app, stats);
    add_top_command(app, stats);
  }

  /// The error for a command line, or nothing where it is right.
  std::string parse(const std::string& line) {
    try {
      app.parse(line);
    } catch (const CommandLineError& error) {
      return usage_error(app, error);
    }
    return {};
  }

  CommandLine app{"", "orbweaver"};
  ObserveOptions observe;
  StatsOptions stats;
};

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("a list of cores has numbers and ranges, in the order given") {
  CHECK(parse_cpu_list("3") == std::vector{3});
  CHECK(parse_cpu_list("5,2-4,0") == std::vector{5, 2, 3, 4, 0});
  CHECK(parse_cpu_list("1,1") == std::vector{1, 1});
}

TEST_CASE("what is no list of cores is refused") {
  for (const auto* text : {"", ",", "1,", "1,,2", "-1", "1-", "4-2", "a", "1-2-3", "1024", "99999999999", "1 2"})
    CHECK_THROWS_AS(static_cast<void>(parse_cpu_list(text)), UsageError);
}

TEST_CASE("cores are dealt out in order and wrap round") {
  const std::vector cpus{2, 3, 5};
  CHECK(deal_cpu(cpus, 0) == 2);
  CHECK(deal_cpu(cpus, 2) == 5);
  CHECK(deal_cpu(cpus, 4) == 3);
  CHECK(deal_cpu({}, 1) == -1);
}

TEST_CASE("options that a stage understands are handed on to it") {
  FrontCommand front;
  CHECK(front.parse("observe -i eth0 --filter 'tcp port 80' --promiscuous --count 5 --idle-timeout 10 basic tcp")
            .empty());
  CHECK(front.observe.sources == std::vector<std::string>{"eth0"});
  CHECK(front.observe.chains == Strings{"basic", "tcp"});
  CHECK(front.observe.capture_arguments == Strings{"--filter=tcp port 80", "--count=5", "--promiscuous"});
  CHECK(front.observe.observer_arguments == Strings{"--idle-timeout=10"});
}

TEST_CASE("top is stats that watches") {
  FrontCommand front;
  CHECK(front.parse("top night").empty());
  CHECK(front.stats.watch);
  CHECK(front.stats.session == "night");
}

TEST_CASE("a mistyped command or option is answered with the nearest one") {
  const auto error = [](const std::string& line) { return FrontCommand().parse(line); };
  CHECK(error("obsrve -i x") == "no command 'obsrve'; did you mean 'observe'? (see orbweaver --help)");
  CHECK(error("observe --observrs=3 basic") ==
        "no option '--observrs'; did you mean '--observers'? (see orbweaver observe --help)");
  CHECK(error("observe --zzzzzzzzzz basic") == "no option '--zzzzzzzzzz' (see orbweaver observe --help)");
  CHECK(error("stats --jsn") == "no option '--jsn'; did you mean '--json'? (see orbweaver stats --help)");
}

TEST_CASE("two letters that changed places are one mistake") {
  const Strings chains{"tcp", "dscp", "ecn", "dns"};
  CHECK(nearest_name("dcsp", chains) == "dscp");
  CHECK(nearest_name("enc", chains) == "ecn");
  CHECK(nearest_name("pct", Strings{"pxx", "pctx"}) == "pctx");
}

TEST_CASE("an option without its value is refused, instead of taking the next argument for it") {
  const auto refuse = [](std::vector<const char*> arguments) { refuse_empty_values(arguments); };
  CHECK_NOTHROW(refuse({"orbweaver", "observe", "--filter=a = b", "-i", "x", "--count", "1", "--", "basic"}));
  CHECK_THROWS_WITH_AS(refuse({"orbweaver", "--filter", "", "basic"}),
                       "--filter has an empty value: give it one, or leave the option out", UsageError);
  CHECK_THROWS_WITH_AS(refuse({"orbweaver", "--count=", "basic"}),
                       "--count has an empty value: give it one, or leave the option out", UsageError);
  CHECK_THROWS_AS(refuse({"orbweaver", "observe", "basic", ""}), UsageError);
}

TEST_CASE("bounds are told in whole numbers, and a number is handed on in decimal") {
  CHECK(FrontCommand().parse("observe --count=-1 basic") ==
        "--count: '-1' is not a whole number from 0 to 1000000000000000000 (see orbweaver observe --help)");
  CHECK(FrontCommand().parse("observe --idle-timeout 86401 basic") ==
        "--idle-timeout: '86401' is not a whole number from 1 to 86400 (see orbweaver observe --help)");
  CHECK_FALSE(FrontCommand().parse("observe --max-flows 4294967281 basic").empty());
  CHECK_FALSE(FrontCommand().parse("observe --snaplen 4294967296 basic").empty());
  CHECK_FALSE(FrontCommand().parse("observe --count 1e6 basic").empty());
  FrontCommand front;
  CHECK(front.parse("observe --max-flows 4294967280 --idle-timeout 010 --complete-timeout 0 basic").empty());
  CHECK(front.observe.observer_arguments ==
        Strings{"--idle-timeout=10", "--complete-timeout=0", "--max-flows=4294967280"});
}

TEST_CASE("the device of standard input is standard input") {
  FrontCommand front;
  CHECK(front.parse("observe -i /dev/stdin basic").empty());
  CHECK(front.observe.sources == std::vector<std::string>{"-"});
}

TEST_CASE("a value out of range is refused") {
  for (const auto* option : {"--observers=0", "--observers=65", "--packet-ring-mib=0", "--flow-ring-mib=40000",
                             "--reader=mine", "--idle-timeout=0", "--max-flows=-1", "--snaplen=x"})
    CHECK_FALSE(FrontCommand().parse(std::string("observe -i x basic ") + option).empty());
}
