// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/log/message_sink.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sstream>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

/// A logger whose sink prints into a text.
struct Program {
  Program()
      : sink(std::make_shared<MessageSink>("prog", std::make_shared<spdlog::sinks::ostream_sink_st>(printed))),
        logger("prog", sink), log(std::make_shared<MessageLog>()) {
    logger.set_pattern("%n: %l: %v");
  }

  /// What was printed since the last look, a line each.
  std::vector<std::string> lines() {
    std::istringstream text(printed.str());
    printed.str({});
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);)
      all.push_back(line);
    return all;
  }

  std::ostringstream printed;
  std::shared_ptr<MessageSink> sink;
  spdlog::logger logger;
  std::shared_ptr<MessageLog> log;
};

} // namespace

TEST_CASE("of a warning that comes 1,234 times the first ten are printed, two on the way, and the number at the end") {
  Program program;
  program.sink->keep_in(program.log);
  for (int line = 1; line <= 1234; ++line)
    program.logger.warn("jobs, line {}: no JSON", line);
  program.sink->print_totals();
  const auto lines = program.lines();
  REQUIRE(lines.size() == 13);
  CHECK(lines[0] == "prog: warning: jobs, line 1: no JSON");
  CHECK(lines[9] == "prog: warning: jobs, line 10: no JSON");
  CHECK(lines[10] == "prog: warning: jobs, line 100: no JSON (the 100th of its kind)");
  CHECK(lines[11] == "prog: warning: jobs, line 1000: no JSON (the 1000th of its kind)");
  CHECK(lines[12] == "prog: warning: 1234 of a kind in all, the first: jobs, line 1: no JSON");
  CHECK(program.log->read().front().count == 1234);
}

TEST_CASE("what was printed to the last has no number at the end") {
  Program program;
  program.sink->keep_in(program.log);
  program.logger.error("once");
  for (int i = 0; i < 100; ++i)
    program.logger.warn("a hundred times");
  CHECK(program.lines().size() == 12);
  program.sink->print_totals();
  CHECK(program.lines().empty());
}

TEST_CASE("messages of further kinds have their number at the end") {
  Program program;
  program.sink->keep_in(program.log);
  for (std::size_t i = 1; i <= 60; ++i)
    program.logger.warn("{}", std::string(i, 'x'));
  const auto kinds = MessageLog::max_kinds - MessageLog::kept_for_errors;
  CHECK(program.lines().size() == kinds + 10);
  program.sink->print_totals();
  CHECK(program.lines() ==
        std::vector{"prog: warning: " + std::to_string(60 - kinds) + " warnings of further kinds in all"});
}

TEST_CASE("before there is a log all is printed, and the log takes it over") {
  Program program;
  for (int i = 0; i < 20; ++i)
    program.logger.warn("early {}", i);
  program.logger.info("not a warning");
  CHECK(program.lines().size() == 21);
  program.sink->keep_in(program.log);
  CHECK(program.lines().empty());
  const auto messages = program.log->read();
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].count == 20);
  CHECK(messages[0].first_ns > 0);
}

TEST_CASE("what is no warning is printed and not kept") {
  Program program;
  program.sink->keep_in(program.log);
  for (int i = 0; i < 30; ++i)
    program.logger.info("going on");
  CHECK(program.lines().size() == 30);
  CHECK(program.log->read().empty());
}
