// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/options/command_line.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <vector>

using namespace orbweaver;

TEST_CASE("a command line fills the variables of its options, and leaves the others") {
  CommandLine line("", "program");
  std::uint32_t count = 1;
  std::optional<double> rate;
  bool loud = false;
  std::vector<std::string> names;
  line.add_option("-n,--count", count)->transform(whole_number(1, 9));
  line.add_option("--rate", rate)->transform(number(0, 1));
  line.add_flag("--loud", loud, "");
  line.add_option("NAME", names);
  line.parse("-n 7 --loud a b");
  CHECK(count == 7);
  CHECK_FALSE(rate);
  CHECK(loud);
  CHECK(names == std::vector<std::string>{"a", "b"});
}

TEST_CASE("what an option does not take is an error that names option and value") {
  for (const std::string text : {"--rate 1.5", "--rate nan", "--rate x", "--count 0", "--count 010x", "--kind c"}) {
    CommandLine line("", "program");
    std::uint32_t count = 1;
    double rate = 0;
    std::string kind;
    line.add_option("--count", count)->transform(whole_number(1, 9));
    line.add_option("--rate", rate)->transform(number(0, 1));
    line.add_option("--kind", kind)->one_of({"a", "b"});
    const auto option = text.substr(0, text.find(' ')), value = text.substr(text.find(' ') + 1);
    std::string error;
    try {
      line.parse(text);
    } catch (const CommandLineError& caught) {
      error = caught.what();
    }
    INFO(text << ": " << error);
    CHECK(error.find(option) != std::string::npos);
    CHECK(error.find(value) != std::string::npos);
  }
}

TEST_CASE("options that exclude or need each other are refused, or missed") {
  const auto parse = [](const std::string& text) {
    CommandLine line("", "program");
    bool json = false, table = false, wide = false;
    auto* const first = line.add_flag("--json", json, "");
    auto* const second = line.add_flag("--table", table, "")->excludes(first);
    line.add_flag("--wide", wide, "")->needs(second);
    line.parse(text);
  };
  CHECK_NOTHROW(parse("--table --wide"));
  CHECK_THROWS_AS(parse("--table --json"), CommandLineError);
  CHECK_THROWS_AS(parse("--wide"), CommandLineError);
}

TEST_CASE("what a callback throws is thrown as it is") {
  CommandLine line("", "program");
  line.add_option_function(
      "--list", [](const std::string& text) { throw UsageError("no list: " + text); }, "");
  CHECK_THROWS_WITH_AS(line.parse("--list x"), "no list: x", UsageError);
}

TEST_CASE("a subcommand is named in the help by the word for it, and says when it was read") {
  CommandLine line("", "program");
  line.allow_one_subcommand("PLUGIN");
  bool named = false;
  auto& one = line.add_subcommand("one", "the first");
  const auto& two = line.add_subcommand("two", "the second");
  one.on_name([&named] { named = true; });
  CHECK(line.help().find("program [OPTIONS] PLUGIN\n") != std::string::npos);
  line.parse("one");
  CHECK(named);
  CHECK(one.parsed());
  CHECK_FALSE(two.parsed());
  CHECK_THROWS_AS(line.parse("one two"), CommandLineError);
}

TEST_CASE("the version is printed, and tells the status to end with") {
  CommandLine line("", "program");
  line.set_version_flag("--version", "program 1");
  const char* const arguments[] = {"program", "--version"};
  CHECK(line.parse(2, arguments) == 0);
  CHECK(line.parse(1, arguments) == std::nullopt);
}
