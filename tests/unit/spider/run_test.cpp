// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/run.hpp"

#include "common/error.hpp"
#include "spider/plugins/library.hpp"
#include "tests/unit/spider/spider_run.hpp"

#include <memory>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// Takes what is logged, a line each, until it goes.
class Log {
public:
  Log() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_st>(text_));
    logger->set_pattern("%l: %v");
    spdlog::set_default_logger(std::move(logger));
  }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log() { spdlog::set_default_logger(before_); }

  [[nodiscard]] std::string text() const { return text_.str(); }
  [[nodiscard]] std::size_t lines() const {
    const auto all = text();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n'));
  }

private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

/// Adds text that nobody escaped.
class Careless final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 1; }
  void post_connect(ConnectResult& result, const Job&, const PreConnect*, unsigned) override {
    result.members.add_members(R"("a":"un"escaped")");
    result.members.add("b", 1);
  }
};

PluginEntry careless() {
  PluginDescription description;
  description.name = "careless";
  description.model = Model::single;
  description.connect_kinds = {"tcp"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Careless>(); }};
}

/// A run by its command line, in a folder of its own.
struct Program {
  explicit Program(const std::string& jobs) { write_file(scratch.path("jobs"), jobs); }

  int run(std::vector<std::string> words) {
    CommandLine app{"", "test"};
    SpiderArguments arguments;
    add_arguments(app, arguments, {careless(), plugins::mss()});
    words.insert(words.begin(), {"--input", scratch.path("jobs")});
    app.parse(std::move(words));
    arguments.stage.caged = false; // there would be no way out for the tests behind it
    return run_spider(arguments);
  }

  [[nodiscard]] std::string out() const { return "file:" + scratch.path("out"); }

  [[nodiscard]] Records records() const {
    RecordReader reader = RecordReader::open({Endpoint::Kind::file, scratch.path("out")}, StreamKind::jobs);
    Records records;
    const RecordHeader* record[1];
    while (reader.peek(record) == 1)
      records.take(record[0]);
    return records;
  }

  Scratch scratch;
};

json::CheckedMembers::LeftOut left_out(const std::string& key) {
  return {key, "a value is expected at octet 4"};
}

} // namespace

TEST_CASE(
    "a plugin that forgets to escape a quotation mark loses that text: all else is written, one warning says so") {
  Program program(SpiderRun::jobs_to(1, 6)); // nobody listens there
  const Log log;
  CHECK(program.run({"-i", "lo", "--out", program.out(), "careless"}) == exit_done);
  const auto records = program.records();
  CHECK(records.cause == EndCause::complete);
  REQUIRE(records.connections.size() == 6);
  for (const auto& connection : records.connections)
    CHECK(connection.members == R"("b":1)");
  CHECK(log.lines() == 1);
  const std::string text = log.text();
  CHECK_MESSAGE(text.starts_with("warning: plugin careless, job "), text);
  CHECK_MESSAGE(text.find(": members are left out of connection 0: a comma is expected at octet 8; ") != text.npos,
                text);
}

TEST_CASE("members that were left out are named once a key, the first few") {
  const Log log;
  MemberWarnings warnings("mine");
  Job job;
  job.id = 3;
  for (int i = 0; i < 3; ++i)
    warnings(job, "connection 1", left_out("a\n\x1b[1m"));
  CHECK(log.text() ==
        "warning: plugin mine, job 3: \"a  [1m\" is left out of connection 1: a value is expected at octet "
        "4; more of the kind are counted (members_bad)\n");
  for (int i = 0; i < 100; ++i)
    warnings(job, "a result", left_out("b" + std::to_string(i)));
  CHECK(log.lines() == MemberWarnings::max_named);
}

TEST_CASE("bad lines are named, and a run without one job fails when it has been through them") {
  Program program("x\n{\"dip\":\"nowhere\"}\n");
  const Log log;
  CHECK_THROWS_WITH_AS(program.run({"-i", "lo", "--out", program.out(), "mss"}), doctest::Contains("no line is a job"),
                       Error);
  CHECK(log.lines() == 2);
  CHECK(log.text().find("jobs, line 2: dip is no address: 'nowhere'") != std::string::npos);
}

TEST_CASE("what a run lacks is said before anything is opened") {
  Program program("");
  CHECK_THROWS_WITH_AS(program.run({}), doctest::Contains("name a plugin"), UsageError);
  CHECK_THROWS_WITH_AS(program.run({"-i", "lo", "mss"}), doctest::Contains("give --out"), UsageError);
  CHECK_THROWS_WITH_AS(program.run({"--out", program.out(), "mss"}), doctest::Contains("give -i"), UsageError);
  CHECK_THROWS_WITH_AS(program.run({"-i", "lo", "--out", "file:" + program.scratch.path("jobs"), "mss"}),
                       doctest::Contains("is the input as well"), UsageError);
  CHECK_THROWS_WITH_AS(program.run({"-i", "lo", "--out", program.out(), "--public-address", "x", "mss"}),
                       doctest::Contains("that is no address"), UsageError);
  CHECK_THROWS_AS(static_cast<void>(program.records()), Error); // nothing was written
}
