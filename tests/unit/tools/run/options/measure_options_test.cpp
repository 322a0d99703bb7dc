// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "tools/run/measure_command.hpp"
#include "tools/usage.hpp"

#include <algorithm>
#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

using Strings = std::vector<std::string>;

/// A front command that knows three plugins: one that watches, one that forges, and one that only looks names up.
struct FrontCommand {
  FrontCommand() {
    PluginDescription ecn;
    ecn.name = "ecn";
    ecn.model = Model::synchronized;
    ecn.chains = {"basic", "ecn"};
    ecn.connect_kinds = {"http", "tcp"};
    PluginOption point;
    point.name = "codepoint";
    point.default_value = "48";
    point.several = true;
    point.minimum = 0;
    point.maximum = 63;
    ecn.options = {point};
    PluginDescription forge = ecn;
    forge.name = "evilbit";
    forge.model = Model::forge;
    forge.server_mode = true;
    forge.summary = "Sets a bit";
    forge.origin = "/opt/plugins/evil.so";
    PluginDescription names;
    names.name = "dnsresolv";
    names.model = Model::desynchronized;
    for (const auto& plugin : {ecn, forge, names})
      measure.plugins.push_back({plugin, {}});
    add_measure_command(app, measure);
  }

  /// The error for a command line, or nothing where it is right.
  std::string parse(const std::string& line) {
    try {
      app.parse("measure " + line);
    } catch (const CommandLineError& error) {
      return usage_error(app, error);
    }
    return {};
  }

  RunPlan plan(const std::string& line) {
    REQUIRE(parse(line).empty());
    REQUIRE(measure.chosen);
    return measure_plan(measure, measure.plugins[*measure.chosen], 0);
  }

  CommandLine app{"", "orbweaver"};
  MeasureOptions measure;
};

std::vector<StageKind> kinds(const RunPlan& plan) {
  std::vector<StageKind> kinds;
  for (const auto& stage : plan.stages)
    kinds.push_back(stage.kind);
  return kinds;
}

bool has(const StagePlan& stage, const std::string& argument) {
  return std::find(stage.arguments.begin(), stage.arguments.end(), argument) != stage.arguments.end();
}

} // namespace

TEST_CASE("a measurement watches before it connects: the spider starts last, and leads") {
  const auto plan = FrontCommand().plan("-i eth0 --observers 2 ecn");
  CHECK(kinds(plan) == std::vector{StageKind::capture, StageKind::observer, StageKind::observer, StageKind::merger,
                                   StageKind::spider});
  CHECK(plan.leader == StageKind::spider);
  CHECK(has(plan.stages[0], "--input=eth0"));
  CHECK(plan.stages[1].arguments == Strings{"--observers=2", "basic", "ecn"});
  CHECK(has(plan.stages[3], "--plugin=ecn"));
  CHECK(plan.stages[3].reads.size() == 3);
  CHECK(plan.stages[3].reads.back().option == "--jobs");
  CHECK(plan.stages[4].streams.inherit_stdin);
  CHECK_FALSE(plan.stages[0].streams.inherit_stdin);
  CHECK(plan.stages[3].streams.inherit_stdout);
  CHECK(plan.settle == std::chrono::seconds(1));
}

TEST_CASE("a plugin that watches nothing runs with spider and merger alone") {
  const auto plan = FrontCommand().plan("--input domains.csv --csv-input dnsresolv");
  CHECK(kinds(plan) == std::vector{StageKind::merger, StageKind::spider});
  CHECK(plan.rings.size() == 1);
  CHECK_FALSE(plan.stages[1].streams.inherit_stdin);
  CHECK(plan.stages[1].arguments == Strings{"--csv-input", "--input=domains.csv", "--timeout=5", "dnsresolv"});
}

TEST_CASE("options may stand before and after the plugin's name, and go to the stage that understands them") {
  const auto plan = FrontCommand().plan("-i eth0 -w 500 ecn --connect tcp --codepoint 3 --codepoint 4 --rate 2.5 "
                                        "--timeout 2 --output-flows --missed-after 40 --filter tcp --idle-timeout 20");
  const auto& spider = plan.stages.back();
  CHECK(spider.arguments == Strings{"--workers=500", "--rate=2.5", "--input=-", "--interface=eth0", "--timeout=2",
                                    "ecn", "--connect=tcp", "--codepoint=3", "--codepoint=4"});
  const auto& merger = plan.stages[2];
  CHECK(merger.arguments == Strings{"--sync=10", "--missed-after=40", "--output-flows", "--plugin=ecn"});
  CHECK(has(plan.stages[0], "--filter=tcp"));
  CHECK(has(plan.stages[1], "--idle-timeout=20"));
}

TEST_CASE("what others know this machine by goes to the spider") {
  const auto plan = FrontCommand().plan("-i eth0 --public-address 192.0.2.1 --public-address 2001:db8::1 --asn 64500 "
                                        "--look-up-public http://192.0.2.80/ ecn");
  CHECK(has(plan.stages.back(), "--public-address=192.0.2.1"));
  CHECK(has(plan.stages.back(), "--public-address=2001:db8::1"));
  CHECK(has(plan.stages.back(), "--asn=64500"));
  CHECK(has(plan.stages.back(), "--look-up-public=http://192.0.2.80/"));
}

TEST_CASE("forged packets are watched for as long as an answer may take, at least") {
  CHECK(FrontCommand().plan("-i eth0 --timeout 3 evilbit").settle == std::chrono::milliseconds(3250));
  CHECK(FrontCommand().plan("-i eth0 --timeout 3 --settle 4.5 evilbit").settle == std::chrono::milliseconds(4500));
  CHECK(FrontCommand().plan("-i eth0 --timeout 3 --settle 0.2 ecn").settle == std::chrono::milliseconds(200));
}

TEST_CASE("a plugin whose targets connect to us is joined by the source") {
  CHECK(has(FrontCommand().plan("-i eth0 evilbit").stages[2], "--server-mode"));
  CHECK_FALSE(has(FrontCommand().plan("-i eth0 ecn").stages[2], "--server-mode"));
}

TEST_CASE("a mistyped plugin or option of a measurement is answered with the nearest one") {
  const auto error = [](const std::string& line) { return FrontCommand().parse(line); };
  CHECK(error("-i eth0 enc") == "no plugin 'enc'; did you mean 'ecn'? (see orbweaver measure --help)");
  CHECK(error("-i eth0 --ratee 5 ecn") ==
        "no option '--ratee'; did you mean '--rate'? (see orbweaver measure ecn --help)");
  CHECK(error("-i eth0 ecn --conect tcp") ==
        "no option '--conect'; did you mean '--connect'? (see orbweaver measure ecn --help)");
}

TEST_CASE("values of a measurement that are out of range are refused") {
  for (const auto* option : {"-w 0", "--rate 0", "--rate many", "--rate nan", "--timeout 0", "--timeout nan",
                             "--timeout 4000", "--settle -1", "--missed-after 0", "--job-ring-mib 0", "--observers 65"})
    CHECK_FALSE(FrontCommand().parse(std::string("-i eth0 ") + option + " ecn").empty());
  CHECK_FALSE(FrontCommand().parse("-i eth0 ecn --connect dnsudp").empty());
  CHECK_FALSE(FrontCommand().parse("-i eth0 ecn --codepoint 64").empty());
  CHECK_FALSE(FrontCommand().parse("-i eth0 ecn evilbit").empty());
}

TEST_CASE("the help of a measurement says PLUGIN where one is to be named, and how long flows are waited for") {
  FrontCommand front;
  const auto help = front.app.subcommands().front()->help("orbweaver");
  CHECK(help.find("Usage: orbweaver measure [OPTIONS] PLUGIN\n") != std::string::npos);
  CHECK(help.find("counts as not observed (60)") != std::string::npos);
  CHECK(front.app.help().find("[SUBCOMMAND]") != std::string::npos);
}

TEST_CASE("the list of plugins says which shared object one came from") {
  FrontCommand front;
  const auto help = front.app.subcommands().front()->help();
  CHECK(help.find("Sets a bit (/opt/plugins/evil.so)\n") != std::string::npos);
}

TEST_CASE("flows that are not waited for as long as they may take are warned of") {
  const auto warning = [](const std::string& line) {
    FrontCommand front;
    CHECK(front.parse("-i eth0 " + line + " ecn").empty());
    return late_flows_warning(front.measure);
  };
  CHECK(warning("").empty());
  CHECK(warning("--missed-after 36").empty());
  CHECK(warning("--idle-timeout 54").empty());
  CHECK(warning("--missed-after 5 --idle-timeout 3 --complete-timeout 0").empty());
  CHECK_FALSE(warning("--missed-after 35").empty());
  CHECK_FALSE(warning("--complete-timeout 30").empty());
  CHECK(warning("--idle-timeout 70 --missed-after 50") ==
        "a flow may come 75 s after its last packet (--idle-timeout 70, --complete-timeout 5), and is waited for "
        "--missed-after 50: connections will be missed as never_seen though they were seen; make --missed-after "
        "longer, or "
        "the timeouts shorter");
}

TEST_CASE("no flow is idle for too long while its connection waits") {
  const auto lengthened = [](const std::string& line) {
    FrontCommand front;
    CHECK(front.parse("-i eth0 " + line + " ecn").empty());
    return with_idle_timeout(front.measure);
  };
  CHECK(lengthened("--timeout 29").observer_arguments.empty());
  CHECK(lengthened("--timeout 40 --idle-timeout 41").observer_arguments == Strings{"--idle-timeout=41"});
  const auto longer = lengthened("--timeout 39.5");
  CHECK(longer.observer_arguments == Strings{"--idle-timeout=41"});
  CHECK(longer.merger_arguments == Strings{"--missed-after=71"});
  CHECK(lengthened("--timeout 40 --missed-after 50").merger_arguments == Strings{"--missed-after=50"});
  CHECK_THROWS_AS(lengthened("--timeout 40 --idle-timeout 40"), UsageError);
}

TEST_CASE("what is missing is told before anything starts") {
  FrontCommand none;
  REQUIRE(none.parse("-i eth0").empty());
  CHECK_THROWS_WITH_AS(static_cast<void>(measure(none.measure)),
                       "name a plugin; there are ecn evilbit dnsresolv (orbweaver measure --help tells more)",
                       UsageError);
  FrontCommand nowhere;
  REQUIRE(nowhere.parse("ecn").empty());
  CHECK_THROWS_AS(static_cast<void>(measure(nowhere.measure)), UsageError);
  FrontCommand wrong;
  REQUIRE(wrong.parse("-i no-such-if ecn").empty());
  CHECK_THROWS_AS(static_cast<void>(measure(wrong.measure)), Error);
}
