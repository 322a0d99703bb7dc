// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/kept_jobs.hpp"

#include "common/file_descriptor.hpp"
#include "common/process/files/kept_memory.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

std::string job_line(int i) {
  return R"({"dip":"10.)" + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
         std::to_string(i % 256) + "\"}\n";
}

/// Jobs, with a bad line and a target that was there before after each tenth.
std::string jobs_text(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += job_line(i);
    if (i % 10 == 9)
      text += "no job\n" + job_line(i / 2);
  }
  return text;
}

/// Standard input is a pipe with that text, whose end comes at once.
class PipedInput {
public:
  explicit PipedInput(const std::string& text) : before_(dup(STDIN_FILENO)) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0);
    REQUIRE(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
  }
  ~PipedInput() {
    dup2(before_, STDIN_FILENO);
    close(before_);
  }

private:
  int before_;
};

constexpr auto no_bad_line = [](std::uint64_t, const std::string&) {};

/// Takes jobs; returns their addresses' last three octets as a number.
std::vector<int> taken(JobReader& reader, std::size_t most) {
  std::vector<int> ids;
  Job job;
  while (ids.size() < most)
    switch (reader.next(job)) {
    case JobReader::Next::job:
      ids.push_back(job.destination.octets[1] << 16 | job.destination.octets[2] << 8 | job.destination.octets[3]);
      CHECK(job.id == reader.counters().jobs);
      break;
    case JobReader::Next::more:
      break;
    default:
      return ids;
    }
  return ids;
}

} // namespace

TEST_CASE("who follows takes each job that its predecessors had not begun, once, from a pipe and from a file") {
  constexpr int count = 9000;
  const auto text = jobs_text(count);
  const Scratch scratch;
  write_file(scratch.path("jobs"), text);
  for (const std::string& path : {std::string("-"), scratch.path("jobs")}) {
    CAPTURE(path);
    const PipedInput input(text);
    const auto memory = make_kept_memory("jobs");
    std::vector<int> begun;
    JobReaderPlace place{};
    unsigned readers = 0;
    for (bool ended = false; !ended; ++readers) {
      KeptJobs kept(memory.get());
      JobReader reader(path, {}, no_bad_line, kept.input());
      if (readers > 0)
        reader.resume(place);
      reader.keep_from(place);
      const auto some = taken(reader, 1 + readers * 37 % 300);
      begun.insert(begun.end(), some.begin(), some.end());
      place = reader.place();
      reader.keep_from(place);
      ended = taken(reader, 1).empty(); // of it nobody hears: this reader dies
      if (ended)
        place = reader.place();
    }
    CHECK(readers > 50);
    REQUIRE(begun.size() == count);
    for (int i = 0; i < count; ++i)
      REQUIRE(begun[static_cast<std::size_t>(i)] == i);
    CHECK(place.counters.jobs == count);
    CHECK(place.counters.lines_bad == count / 10);
    CHECK(place.counters.lines_duplicate == count / 10);
    CHECK(place.octets == text.size());
  }
}

TEST_CASE("octets that a predecessor had read, and died before it had counted them, are there") {
  const auto text = jobs_text(100);
  const PipedInput input(text);
  const auto memory = make_kept_memory("jobs");
  KeptJobs kept(memory.get());
  JobReaderPlace place{};
  {
    JobReader reader("-", {}, no_bad_line, kept.input());
    CHECK(taken(reader, 10).size() == 10);
    place = reader.place();
    auto& half = kept.input().tape.state->halves[0];
    CHECK(half.octets == text.size());
    half.octets = 1000;
  }
  JobReader follower("-", {}, no_bad_line, kept.input());
  follower.resume(place);
  CHECK(taken(follower, 1000).size() == 90);
}

TEST_CASE("a line that is too long is one bad line, whoever reads its ends") {
  using Next = LineReader::Next;
  const PipedInput input("first\n" + std::string(700'000, 'x') + "\nlast\n");
  const auto memory = make_kept_memory("jobs");
  KeptJobs kept(memory.get());
  std::string_view line;
  {
    LineReader reader("-", kept.input().tape);
    CHECK(reader.next(line) == Next::line);
    reader.keep_from(reader.position_octets());
    for (int i = 0; i < 7; ++i) // beyond what is kept
      CHECK(reader.next(line) == Next::skipped);
  }
  LineReader follower("-", kept.input().tape);
  follower.resume(6, 1);
  Next next{};
  while ((next = follower.next(line)) == Next::skipped) {
  }
  CHECK(next == Next::too_long);
  CHECK(follower.next(line) == Next::line);
  CHECK(line == "last");
  CHECK(follower.number() == 3);
  CHECK(follower.position_octets() == 700'012);
}

TEST_CASE("what a predecessor left that cannot be is refused") {
  const PipedInput input("");
  const auto memory = make_kept_memory("jobs");
  KeptJobs kept(memory.get());
  { JobReader reader("-", {}, no_bad_line, kept.input()); }
  kept.input().tape.state->halves[0].octets = ~std::uint64_t{0};
  JobReader reader("-", {}, no_bad_line, kept.input());
  CHECK_THROWS_AS(reader.resume({}), Error);
  for (const std::uint64_t places :
       {std::uint64_t{7}, std::uint64_t{1536}, std::uint64_t{1} << 30, ~std::uint64_t{0}}) {
    kept.input().targets.state->places = places;
    CHECK_THROWS_AS(TargetSet(1 << 20, kept.input().targets), Error);
  }
}

TEST_CASE("progress is what the ring says of the last record") {
  const auto memory = make_kept_memory("jobs");
  KeptJobs kept(memory.get());
  SpiderProgress progress{};
  CHECK(kept.left(0).input.counters.jobs == 0);
  progress.input.counters.jobs = 1;
  kept.prepare(progress, 100);
  CHECK(kept.left(0).input.counters.jobs == 0);   // it died before the record was there
  CHECK(kept.left(100).input.counters.jobs == 1); // and after
  kept.done();
  CHECK(kept.left(100).input.counters.jobs == 1);
  progress.input.counters.jobs = 2;
  kept.prepare(progress, 160);
  CHECK(kept.left(100).input.counters.jobs == 1);
  CHECK(kept.left(160).input.counters.jobs == 2);
  kept.done();
  progress.input.counters.jobs = 3;
  kept.prepare(progress, 160); // a place without a record
  CHECK(kept.left(160).input.counters.jobs == 2);
  kept.done();
  CHECK(kept.left(160).input.counters.jobs == 3);
  kept.begin_call(7, 9, "post_connect");
  CHECK(KeptJobs(memory.get()).call().job_id == 7);
  CHECK(std::string(kept.call().name.data()) == "post_connect");
  kept.end_call();
  CHECK(kept.call().job_id == 0);
}
