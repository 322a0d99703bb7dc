// SPDX-License-Identifier: GPL-3.0-or-later
// What a merger of a measurement leaves, and what the next one makes of it. What a kill at any moment leaves,
// tests/stress/measurement_kills.cpp looks at.
#include "merger/follow/snapshots.hpp"

#include "common/error.hpp"
#include "common/process/files/kept_memory.hpp"
#include "common/stream/poison.hpp"
#include "config.hpp"
#include "merger/measure/measurement.hpp"
#include "tests/stress/jobs_and_flows.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"

#include <algorithm>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::atomic<bool> never{false};

using Octets = std::vector<std::byte>;

/// What a state says, by whoever saves it.
Octets saved(const auto& save) {
  Octets room(1 << 20);
  StateWriter state(room);
  save(state);
  REQUIRE(state.fits());
  room.resize(state.size());
  return room;
}

/// Whether a state that ends too early is refused, and one that was altered is refused or taken, and nothing breaks.
/// `restore` reads all.
void check_damaged(const Octets& state, const std::function<void(StateReader&)>& restore) {
  const auto try_one = [&](const Octets& octets) {
    try {
      StateReader reader(octets);
      restore(reader);
      reader.finish();
      return true;
    } catch (const Error& error) {
      CHECK(std::string(error.what()).starts_with("what a merger left of its measurement does not fit: "));
      return false;
    }
  };
  CHECK(try_one(state));
  for (std::size_t octets = 0; octets < state.size(); ++octets)
    CHECK_FALSE(try_one({state.begin(), state.begin() + static_cast<std::ptrdiff_t>(octets)}));
  auto longer = state;
  longer.emplace_back();
  CHECK_FALSE(try_one(longer));
  std::mt19937 dice(1);
  for (int round = 0; round < 4000; ++round) {
    auto altered = state;
    for (auto count = dice() % 3 + 1; count > 0; --count)
      altered[dice() % altered.size()] = static_cast<std::byte>(dice() % 4 == 0 ? 0xFF : dice());
    try_one(altered);
  }
}

SnapshotHead head_at(std::uint64_t offset) {
  SnapshotHead head{};
  head.output.offset = offset;
  return head;
}

std::string text_of(const Octets& octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

/// Three rings with some seconds of traffic in them, and an output.
class Bench {
public:
  explicit Bench(std::uint64_t seconds, const TrafficOptions& traffic_options = {.jobs_a_second = 10}) {
    Traffic traffic(traffic_options);
    for (std::size_t i = 0; i < measured_streams; ++i) {
      rings_[i] = {Endpoint::Kind::ring, "snapshots-" + std::to_string(getpid()) + "." + std::to_string(i)};
      made_.push_back(Ring::create(rings_[i].segment_name(), 1 << 20, false, true));
    }
    EndpointOptions options;
    options.make_ring = false;
    TrafficWriter writer(rings_, traffic, options);
    for (std::uint64_t second = 0; second < seconds; ++second)
      REQUIRE(writer.write_second(traffic));
    REQUIRE(writer.finish());
    jobs = traffic.jobs_so_far();
    combiner = Traffic::combiner();
    options_.join.max_flows = 4096;
    options_.join.remembered = 1024;
    options_.join.missed_after_s = 20;
    options_.limits = {.max_jobs = 4096, .max_job_octets = 1 << 20};
    options_.output_flows = true;
    options_.digest = true;
    options_.pace = {0, 0};
  }
  ~Bench() {
    for (const auto& ring : rings_)
      Segment::remove(ring.segment_name());
  }

  /// In this process. Throws what it throws.
  bool measure(Snapshots& snapshots, int poison_fd = -1) {
    OutputPolicy policy;
    policy.appears = Appears::growing;
    if (snapshots.left())
      policy.resume = [&] { return &snapshots.left()->head.output; };
    Output output(scratch.path("out"), "jobs", policy);
    EndpointOptions endpoints;
    endpoints.takes_over = snapshots.left() != nullptr;
    auto job_reader = RecordReader::open(rings_[0], StreamKind::jobs, endpoints);
    std::vector<RecordReader> flows;
    flows.push_back(RecordReader::open(rings_[1], StreamKind::flows, endpoints));
    flows.push_back(RecordReader::open(rings_[2], StreamKind::flows, endpoints));
    auto options = options_;
    snapshots.keep_limits(options);
    Measurement measurement(
        std::move(job_reader), std::move(flows), output, combiner, options,
        [this](auto counters, std::uint64_t) { this->counters.assign(counters.begin(), counters.end()); },
        [this](const std::string& warning) {
          warnings.push_back(warning);
          if (on_warning)
            on_warning(warning);
        },
        nullptr, &snapshots, poison_fd);
    return measurement.run(never);
  }

  /// In a process of its own, which follows one that died by that signal; how it ended.
  int measure_apart(int died_by, int poison_fd = -1) {
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGABRT, SIG_DFL);
      try {
        Snapshots snapshots(kept.get(), died_by);
        _exit(measure(snapshots, poison_fd) ? 0 : 1);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        _exit(2);
      }
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }

  /// Where the rings were given back to; and back to that.
  [[nodiscard]] std::vector<std::uint64_t> positions() const {
    std::vector<std::uint64_t> all;
    for (const auto& ring : made_)
      all.push_back(ring.header().consumer.index.load());
    return all;
  }
  void set_back(const std::vector<std::uint64_t>& positions) {
    for (std::size_t i = 0; i < positions.size(); ++i)
      made_[i].header().consumer.index.store(positions[i]);
  }

  std::string output() { return read_file(scratch.path("out")); }

  std::uint64_t jobs = 0;
  CombinerEntry combiner{"", nullptr, 0, {}};
  Scratch scratch;
  FileDescriptor kept = make_kept_memory("snapshots");
  std::vector<std::uint64_t> counters;
  std::vector<std::string> warnings;
  std::function<void(const std::string&)> on_warning;

private:
  std::array<Endpoint, measured_streams> rings_;
  std::vector<Ring> made_;
  MeasurementOptions options_;
};

} // namespace

TEST_CASE("times of loss come back as they were, and damaged ones are refused") {
  LossTimes losses;
  for (std::uint64_t i = 1; i < 20; ++i)
    losses.add(i * 100, i * 100 + 50);
  const auto state = saved([&](auto& to) { losses.save(to); });
  LossTimes again;
  StateReader reader(state);
  again.restore(reader);
  reader.finish();
  CHECK(again.any_between(510, 520));
  CHECK_FALSE(again.any_between(551, 599));
  CHECK(text_of(saved([&](auto& to) { again.save(to); })) == text_of(state));
  check_damaged(state, [](auto& from) { LossTimes().restore(from); });
}

TEST_CASE("jobs come back as they were and in their order, and damaged ones are refused") {
  JobTable jobs;
  for (std::uint64_t id = 1; id <= 12; ++id) {
    const auto place = jobs.add(id, 2, "\"n\":" + std::to_string(id));
    auto& made = jobs.at(place).connections.emplace_back();
    made.record = connection(static_cast<std::int32_t>(id), 1, 2);
    made.record.job_id = id;
    made.record.config = id % 2;
    made.members_at = jobs.at(place).text.size();
    made.fate = id % 3 == 0 ? JobConnection::Fate::joined : JobConnection::Fate::waiting;
    jobs.append(place, std::string(id * 5, 'f'));
    made.flow_octets = static_cast<std::uint32_t>(id);
  }
  jobs.remove(jobs.find(3)); // places are others then
  const auto state = saved([&](auto& to) { jobs.save(to); });
  JobTable again;
  StateReader reader(state);
  again.restore(reader, 2);
  reader.finish();
  CHECK(again.size() == 11);
  CHECK(again.octets() == jobs.octets());
  CHECK(again.at(again.find(6)).decided == 1);
  CHECK(again.at(again.oldest()).id == 1);
  CHECK(text_of(saved([&](auto& to) { again.save(to); })) == text_of(state));
  check_damaged(state, [](auto& from) { JobTable().restore(from, 2); });
}

TEST_CASE("what a join keeps comes back: it goes on as if nothing had been, and damaged it is refused") {
  const JoinOptions options{.missed_after_s = 60, .max_flows = 64, .remembered = 64};
  const auto fill = [](JoinBench& bench) {
    bench.tick(10, 0);
    bench.tick(12, 1);
    bench.jobs_at(200);
    bench.add(flow(1000, 1, 2), 0); // leaves unclaimed
    bench.tick(100, 0);
    bench.tick(101, 1);
    bench.add(flow(2000, 95, 96), 1);    // waits
    bench.add(connection(2000, 95, 97)); // has claimed it
    bench.add(connection(3000, 98, 99)); // waits
    bench.add(connection(3001, 98, 99)); // waits
    bench.join.lost(1, at_ns(98.2), at_ns(98.4));
  };
  const auto go_on = [](JoinBench& bench) {
    bench.add(flow(3001, 98, 99), 1);    // lossy
    bench.add(connection(1000, 1, 2));   // its flow had been let go
    bench.add(connection(2000, 93, 94)); // is before the owner
    bench.add(connection(2000, 95.5, 97));
    bench.join.finish();
  };
  JoinBench unbroken(options, 2);
  fill(unbroken);
  const auto waiting = [&](const Join& join) {
    std::vector<std::uint32_t> refs;
    join.for_each_waiting([&](ConnectionRef ref) { refs.push_back(ref.connection); });
    return refs;
  };
  CHECK(waiting(unbroken.join) == std::vector<std::uint32_t>{1, 2});
  const auto state = saved([&](auto& to) { unbroken.join.save(to); });
  const auto restore = [](Join& join, StateReader& from) {
    join.restore(from, [](std::size_t, const RecordHeader& row) { return row.length == sizeof(FlowRecord); });
    join.wait_again(connection(3000, 98, 99), {7, 1});
    join.wait_again(connection(3001, 98, 99), {7, 2});
    join.check_restored();
  };
  JoinBench again(options, 2);
  again.fates = unbroken.fates;
  StateReader reader(state);
  restore(again.join, reader);
  reader.finish();
  CHECK(text_of(saved([&](auto& to) { again.join.save(to); })) == text_of(state));
  go_on(unbroken);
  go_on(again);
  REQUIRE(again.fates.size() == unbroken.fates.size());
  for (std::size_t i = 0; i < again.fates.size(); ++i) {
    CHECK(again.fates[i].joined == unbroken.fates[i].joined);
    CHECK(again.fates[i].missed == unbroken.fates[i].missed);
    CHECK(again.fates[i].cause == unbroken.fates[i].cause);
    CHECK(again.fates[i].lossy == unbroken.fates[i].lossy);
  }
  CHECK(again.fates[2].lossy);
  CHECK(again.fates[3].cause == MissedCause::expired);
  CHECK(again.fates[4].missed);
  CHECK(again.fates[5].joined);
  CHECK(again.balances());
  check_damaged(state, [&](auto& from) {
    JoinBench bench(options, 2);
    bench.fates.resize(8);
    restore(bench.join, from);
    bench.join.finish();
  });
}

// An instrumented build takes a hundred times as many steps, each of which is tried.
TEST_CASE("a merger that is killed while it stores a snapshot leaves the one before it, or this one, whole" *
          doctest::skip(ORBWEAVER_SANITIZED)) {
  const auto kept = make_kept_memory("store");
  const auto written = [](Snapshots& snapshots, std::uint64_t number) {
    auto state = snapshots.next();
    for (int i = 0; i < 8; ++i)
      state.put(number);
    return state;
  };
  {
    Snapshots first(kept.get(), -1);
    first.reserve(4096);
    CHECK(first.left() == nullptr);
    CHECK(first.store(written(first, 1), head_at(1)));
  }
  std::uint64_t expected = 1, seen_new = 0, seen_old = 0;
  for (unsigned steps = 0; seen_new < 3; ++steps) {
    REQUIRE(steps < 100'000);
    const pid_t child = fork();
    if (child == 0) {
      Snapshots snapshots(kept.get(), SIGKILL);
      const auto state = written(snapshots, expected + 1);
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      raise(SIGSTOP);
      snapshots.store(state, head_at(expected + 1));
      raise(SIGSTOP); // not killed: as long as it is at rest, this is the same
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    for (unsigned step = 0; step < steps && WIFSTOPPED(status); ++step) {
      ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
      waitpid(child, &status, 0);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    const Snapshots follower(kept.get(), SIGKILL);
    REQUIRE(follower.left() != nullptr);
    StateReader state(follower.left()->state);
    const auto number = follower.left()->head.output.offset;
    const bool is_whole = [&] {
      for (int i = 0; i < 8; ++i)
        if (state.get<std::uint64_t>() != number)
          return false;
      return true;
    }();
    REQUIRE(is_whole);
    state.finish();
    REQUIRE((number == expected || number == expected + 1));
    seen_new += number != expected;
    seen_old += number == expected;
    expected = number;
  }
  CHECK(seen_old > 20); // steps at which it had begun
}

TEST_CASE("a state that is larger than its room is said to be lost, and nobody begins with half of it") {
  const auto kept = make_kept_memory("lost");
  Snapshots snapshots(kept.get(), -1);
  snapshots.reserve(4096);
  auto state = snapshots.next();
  const Octets much(huge_page_octets);
  state.put(std::uint8_t{1});
  state.put_octets(much.data(), much.size());
  CHECK_FALSE(snapshots.store(state, {}));
  CHECK_THROWS_WITH_AS(Snapshots(kept.get(), SIGSEGV),
                       "what a merger left of its measurement does not fit: it was larger than the memory for it; its "
                       "results are in the output, up to where it stopped",
                       Error);
}

TEST_CASE("a snapshot of a whole measurement that ends too early is refused; one that was altered breaks nothing") {
  Bench bench(40, {.jobs_a_second = 40});
  static std::uint64_t combined;
  combined = 0;
  bench.combiner.combine = [](const JobFlows&, Conditions&) {
    if (++combined == 1200)
      raise(SIGKILL);
  };
  const auto before = bench.positions();
  REQUIRE(WTERMSIG(bench.measure_apart(-1)) == SIGKILL);
  bench.combiner = Traffic::combiner();
  Octets state;
  SnapshotHead mark;
  const auto positions = bench.positions();
  {
    const Snapshots left(bench.kept.get(), SIGKILL);
    REQUIRE(left.left());
    state.assign(left.left()->state.begin(), left.left()->state.end());
    mark = left.left()->head;
  }
  REQUIRE(positions != before);
  REQUIRE(state.size() > 20'000);
  const auto try_one = [&](const Octets& octets) {
    bench.set_back(positions);
    {
      Snapshots snapshots(bench.kept.get(), SIGKILL);
      auto writer = snapshots.next();
      writer.put_octets(octets.data(), octets.size());
      REQUIRE(snapshots.store(writer, mark));
    }
    try {
      Snapshots snapshots(bench.kept.get(), SIGKILL);
      bench.measure(snapshots);
      return true;
    } catch (const Error& error) {
      return false;
    }
  };
  CHECK(try_one(state));
  const auto whole = bench.output();
  std::mt19937 dice(7);
  for (int round = 0; round < 100; ++round) {
    const auto octets = round < 40 ? static_cast<std::size_t>(round) : dice() % state.size();
    CHECK_FALSE(try_one({state.begin(), state.begin() + static_cast<std::ptrdiff_t>(octets)}));
  }
  for (int round = 0; round < 300; ++round) {
    auto altered = state;
    altered[dice() % altered.size()] ^= static_cast<std::byte>(1U << dice() % 8);
    try_one(altered);
  }
  CHECK(try_one(state));
  CHECK(bench.output() == whole);
  CHECK(bench.counters[MergerCounter::jobs_written] == bench.jobs);
}

TEST_CASE("what mergers die of twice is stepped over and given out; all else is written as if they had not died") {
  constexpr std::uint64_t bad_job = 27;
  const TrafficOptions traffic{.jobs_a_second = 10, .bad_job = bad_job};
  const auto without_bad_job = [&](const std::string& output) {
    std::string others;
    for (std::size_t begin = 0; begin < output.size();) {
      const auto end = output.find('\n', begin) + 1;
      const auto line = output.substr(begin, end - begin);
      if (!line.starts_with("{\"n\":" + std::to_string(bad_job) + ","))
        others += line;
      begin = end;
    }
    return others;
  };
  const auto line_of_bad_job = [&](const std::string& output) {
    const auto begin = output.find("{\"n\":" + std::to_string(bad_job) + ",");
    REQUIRE(begin != std::string::npos);
    return output.substr(begin, output.find('\n', begin) - begin);
  };
  std::string expected;
  {
    Bench unbroken(30, traffic);
    Snapshots snapshots(unbroken.kept.get(), -1);
    REQUIRE(unbroken.measure(snapshots));
    expected = without_bad_job(unbroken.output());
  }
  Bench bench(30, traffic);
  const FileDescriptor poison(open(bench.scratch.path("poison").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
  const auto die_twice = [&](const auto& warning) {
    CHECK(WTERMSIG(bench.measure_apart(-1, poison.get())) == SIGABRT);
    CHECK(WTERMSIG(bench.measure_apart(SIGKILL, poison.get())) ==
          SIGABRT); // one that was killed is no sign of anything
    CHECK(WTERMSIG(bench.measure_apart(SIGABRT, poison.get())) == SIGABRT);
    CHECK(read_file(bench.scratch.path("poison")).empty());
    Snapshots snapshots(bench.kept.get(), SIGABRT);
    CHECK(bench.measure(snapshots, poison.get()));
    CHECK(bench.counters[MergerCounter::jobs_written] == bench.jobs);
    CHECK(bench.counters[MergerCounter::jobs_dropped] == 0);
    CHECK(std::ranges::count_if(bench.warnings, [&](const auto& said) { return said.starts_with(warning); }) == 1);
    CHECK(without_bad_job(bench.output()) == expected);
  };
  std::array<const RecordHeader*, 8> batch{};

  SUBCASE("the conditions of a job: given out with its connections and flows") {
    bench.combiner.combine = [](const JobFlows& flows, Conditions& conditions) {
      if (flows[1]->member("/more") == "55") // of job 27
        std::abort();
      Traffic::combiner().combine(flows, conditions);
    };
    die_twice("job 27: a merger died of its conditions twice");
    CHECK(bench.counters[MergerCounter::combiner_failures] == 1);
    CAPTURE(line_of_bad_job(bench.output()));
    CHECK(line_of_bad_job(bench.output())
              .ends_with(R"("conditions":["pathspider.uncertain"],"missed_flows":0,"flow_results":[]})"));
    auto reader = RecordReader::open({Endpoint::Kind::file, bench.scratch.path("poison")}, StreamKind::jobs);
    REQUIRE(reader.peek(batch) == 4);
    CHECK(reinterpret_cast<const JobRecord*>(batch[0])->job_id == bad_job);
    CHECK(reinterpret_cast<const ConnectionRecord*>(batch[2])->config == 1);
    CHECK(batch[3]->kind == RecordKind::end);
    // Behind it those of the streams that had its flows, each for a file of its own.
    const auto all = read_file(bench.scratch.path("poison"));
    const auto recordings = recordings_in(all);
    std::size_t flows = 0;
    for (std::size_t i = 1; i < recordings.size(); ++i) {
      std::ofstream(bench.scratch.path("flows")) << recordings[i];
      auto of_flows = RecordReader::open({Endpoint::Kind::file, bench.scratch.path("flows")}, StreamKind::flows);
      flows += of_flows.peek(batch) - 1;
    }
    CHECK(flows == 2);
    CHECK(recordings_in(all.substr(0, all.size() - 1)).size() == recordings.size());
    CHECK(recordings_in("ORBSTRM\n").size() == 1);
    CHECK(recordings_in({}).empty());
  }

  SUBCASE("a connection: its job is unfinished, and all others have theirs") {
    bench.on_warning = [](const std::string& warning) {
      if (warning.find("its members are no JSON") != std::string::npos)
        std::abort();
    };
    die_twice("a record of ring:");
    CHECK(bench.counters[MergerCounter::missed_expired] >= 1);
    CHECK(bench.counters[MergerCounter::members_bad] == 0);
    CAPTURE(line_of_bad_job(bench.output()));
    CHECK(line_of_bad_job(bench.output()).find(R"("conditions":["pathspider.unfinished"],"missed_flows":0,)") !=
          std::string::npos);
    auto reader = RecordReader::open({Endpoint::Kind::file, bench.scratch.path("poison")}, StreamKind::jobs);
    REQUIRE(reader.peek(batch) == 2);
    CHECK(reinterpret_cast<const ConnectionRecord*>(batch[0])->members() == "{");
  }
}
