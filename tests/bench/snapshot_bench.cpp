// SPDX-License-Identifier: GPL-3.0-or-later
// What it costs that the merger of a measurement can be followed: jobs and flows come at the pace of the clock, and the
// time that the merger took is told, with and without memory that outlives it. Most of a state is flows that wait:
// --others a second, each for a minute.
#include "common/process/files/kept_memory.hpp"
#include "common/process/stage.hpp"
#include "common/stream/ring/wait.hpp"
#include "merger/measure/measurement.hpp"
#include "tests/stress/jobs_and_flows.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Options {
  TrafficOptions traffic{.jobs_a_second = 1000, .other_flows_a_second = 0};
  std::uint64_t seconds = 90;
  bool kept = false;
  std::uint64_t mib = 4; ///< of each ring
};

const std::atomic<bool> never{false};

[[noreturn]] void produce(const Options& options, const std::array<Endpoint, measured_streams>& rings) {
  EndpointOptions endpoints;
  endpoints.make_ring = false;
  Traffic traffic(options.traffic);
  TrafficWriter writer(rings, traffic, endpoints);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t second = 0; second < options.seconds; ++second) {
    std::this_thread::sleep_until(begin + std::chrono::seconds(second));
    if (!writer.write_second(traffic))
      _exit(1);
    writer.publish();
  }
  _exit(writer.finish() ? 0 : 1);
}

int run(const Options& options) {
  std::array<Endpoint, measured_streams> rings;
  std::vector<Ring> made;
  for (std::size_t i = 0; i < measured_streams; ++i) {
    rings[i] = {Endpoint::Kind::ring, "snapshot-bench-" + std::to_string(getpid()) + "." + std::to_string(i)};
    made.push_back(Ring::create(rings[i].segment_name(), options.mib << 20, false, true));
  }
  const pid_t producer = fork();
  if (producer == 0)
    produce(options, rings);
  const auto memory = make_kept_memory("snapshot-bench");
  std::optional<Snapshots> snapshots;
  if (options.kept)
    snapshots.emplace(memory.get(), -1);
  OutputPolicy policy;
  policy.appears = Appears::growing;
  Output output("/dev/shm/snapshot-bench-" + std::to_string(getpid()), "jobs", policy);
  auto jobs = RecordReader::open(rings[0], StreamKind::jobs);
  std::vector<RecordReader> flows;
  flows.push_back(RecordReader::open(rings[1], StreamKind::flows));
  flows.push_back(RecordReader::open(rings[2], StreamKind::flows));
  std::uint64_t stall_ns = 0, waiting = 0;
  Measurement measurement(
      std::move(jobs), std::move(flows), output, Traffic::combiner(), {},
      [&](auto counters, std::uint64_t) {
        stall_ns = counters[MergerCounter::stall_max_ns];
        waiting = std::max(waiting, counters[MergerCounter::flows_waiting]);
      },
      [](const std::string&) {}, nullptr, snapshots ? &*snapshots : nullptr);
  measurement.run(never);
  int status = 0;
  waitpid(producer, &status, 0);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + time.tv_usec / 1e6; };
  std::printf("%s: %.3f s user, %.3f s system in %llu s; %llu flows unclaimed at most, longest stall %.1f ms\n",
              options.kept ? "may be followed" : "alone", seconds(used.ru_utime), seconds(used.ru_stime),
              static_cast<unsigned long long>(options.seconds), static_cast<unsigned long long>(waiting),
              static_cast<double>(stall_ns) / 1e6);
  if (snapshots)
    std::printf("%llu snapshots, the largest of %.1f MB; in them %.3f s, %.1f ms the longest\n",
                static_cast<unsigned long long>(measurement.snapshots().count),
                static_cast<double>(measurement.snapshots().octets) / 1e6,
                static_cast<double>(measurement.snapshots().all_ns) / 1e9,
                static_cast<double>(measurement.snapshots().longest_ns) / 1e6);
  for (const auto& ring : rings)
    Segment::remove(ring.segment_name());
  unlink(("/dev/shm/snapshot-bench-" + std::to_string(getpid())).c_str());
  return status;
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine app("Measures what it costs that a measurement's merger can be followed.", "snapshot_bench");
  app.add_option("--jobs", options.traffic.jobs_a_second, "A second");
  app.add_option("--others", options.traffic.other_flows_a_second, "Flows of others, a second");
  app.add_option("--seconds", options.seconds, "How long");
  app.add_option("--ring-mib", options.mib, "Of each ring");
  app.add_flag("--kept", options.kept, "With memory that outlives the merger");
  return run_program(app, argc, argv, [&] { return run(options); });
}
