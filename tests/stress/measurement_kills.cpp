// SPDX-License-Identifier: GPL-3.0-or-later
// Kills the merger of a measurement at any moment while it has all the jobs and flows that it can take, again and
// again, and lets another one follow. At the end the results are those of a merger that nobody killed, octet for octet.
//
// With --whole all records are in the rings before the first merger comes: then what it reads when does not depend on
// the time, and the results have the same order too.
#include "common/error.hpp"
#include "common/process/files/kept_memory.hpp"
#include "common/process/stage.hpp"
#include "common/stream/ring/wait.hpp"
#include "merger/measure/measurement.hpp"
#include "tests/stress/jobs_and_flows.hpp"
#include "tests/stress/kills.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Options : KillOptions {
  bool whole = false;
  bool rotate = false;
  std::uint64_t jobs_a_second = 100;
};

struct Shared {
  std::atomic<bool> enough;
  std::atomic<std::uint64_t> seconds, jobs;
  std::atomic<std::uint64_t> snapshots; ///< at least
};

constexpr std::uint64_t seconds_of_whole = 600;

const std::atomic<bool> never{false};

TrafficOptions traffic_of(const Options& options) {
  return {.jobs_a_second = options.jobs_a_second, .late = options.whole};
}

/// Three rings and the output of what is read from them.
struct Bench {
  Bench(const Options& options, const std::string& name) : options(options) {
    const std::uint64_t mib = 1 << 20;
    const std::array<std::uint64_t, measured_streams> sizes =
        options.whole ? std::array{32 * mib, 32 * mib, 32 * mib} : std::array{mib, mib, 4 * mib};
    for (std::size_t i = 0; i < measured_streams; ++i) {
      rings[i] = {Endpoint::Kind::ring, name + "." + std::to_string(i)};
      made.push_back(Ring::create(rings[i].segment_name(), sizes[i], false, true));
    }
    folder = std::filesystem::temp_directory_path() / name;
    std::filesystem::create_directory(folder);
    path = (folder / (options.rotate ? "jobs-%Y%m%dT%H%M%SZ.ndjson" : "jobs.ndjson")).string();
  }
  ~Bench() {
    for (const auto& ring : rings)
      Segment::remove(ring.segment_name());
    std::filesystem::remove_all(folder);
  }

  const Options& options;
  std::array<Endpoint, measured_streams> rings;
  std::vector<Ring> made;
  std::filesystem::path folder;
  std::string path;
};

/// Writes until it is enough, or so many seconds.
[[noreturn]] void produce(const Bench& bench, Shared& shared, std::uint64_t seconds) {
  EndpointOptions options;
  options.make_ring = false;
  Traffic traffic(traffic_of(bench.options));
  TrafficWriter writer(bench.rings, traffic, options);
  std::uint64_t count = 0;
  for (; seconds == 0 ? !shared.enough.load(std::memory_order_relaxed) : count < seconds; ++count)
    if (!writer.write_second(traffic))
      _exit(10);
  shared.seconds = count;
  shared.jobs = traffic.jobs_so_far();
  _exit(writer.finish() ? 0 : 11);
}

[[noreturn]] void measure_once(const Bench& bench, int kept_fd, bool takes_over, Shared& shared) {
  end_as([&] {
    EndpointOptions endpoints;
    endpoints.takes_over = takes_over;
    Snapshots snapshots(kept_fd, takes_over ? SIGKILL : -1);
    shared.snapshots += snapshots.left() != nullptr;
    const auto* const left = snapshots.left() ? &snapshots.left()->head : nullptr;
    const FileBound minutes{.seconds = 60};
    std::optional<FileSeries> series;
    std::optional<Rotation> rotation;
    std::atomic<bool> asked{false};
    OutputPolicy policy;
    policy.appears = Appears::growing;
    if (bench.options.rotate) {
      series.emplace(
          rotated_names(bench.path), FileBound{}, [](const std::string&) {}, left ? &left->series : nullptr);
      rotation.emplace(minutes, 2, *series, asked, std::function<bool()>());
      policy.series = &*series;
    }
    if (left) {
      policy.resume = [&] { return &left->output; };
      policy.completing = left->completion.under_way;
    }
    Output output(bench.path, "jobs", policy);
    auto jobs = RecordReader::open(bench.rings[0], StreamKind::jobs, endpoints);
    std::vector<RecordReader> flows;
    for (const std::size_t i : {1, 2})
      flows.push_back(RecordReader::open(bench.rings[i], StreamKind::flows, endpoints));
    MeasurementOptions options;
    options.join.missed_after_s = 120;
    options.join.max_flows = 1 << 17;
    options.limits.max_job_octets = 64 << 20;
    options.output_flows = true;
    options.digest = true;
    options.pace = {.least_between_ns = 0, .times = 0}; // as often as there is something to give back
    Measurement measurement(
        std::move(jobs), std::move(flows), output, Traffic::combiner(), options, [](auto, std::uint64_t) {},
        [](const std::string& warning) { std::fprintf(stderr, "%s\n", warning.c_str()); },
        rotation ? &*rotation : nullptr, &snapshots);
    if (series)
      series->note_by([&measurement] { measurement.note(); });
    return ended_in_order(measurement, never);
  });
}

/// The lines of all files, each begun by the file's name where there are several, and those of the manifest.
std::vector<std::string> lines_of(const Bench& bench) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(bench.folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> lines;
  for (const auto& path : files) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
      lines.push_back(bench.options.rotate ? path.filename().string() + ": " + line : line);
  }
  return lines;
}

int run(Options options) {
  auto& shared = shared_by_all<Shared>();
  if (options.whole)
    options.may_end = true;
  const auto name = "measurement-kills-" + std::to_string(getpid());
  const Bench killed(options, name + ".killed");
  const auto kept_fd = make_kept_memory("measurement-kills");
  const pid_t producer = in_process([&] { produce(killed, shared, options.whole ? seconds_of_whole : 0); });
  bool good = !options.whole || status_of(producer) == 0;
  good = good && kill_again_and_again(options, shared.enough,
                                      [&](bool follows) { measure_once(killed, kept_fd.get(), follows, shared); });
  if (!options.whole) {
    if (!good)
      kill(producer, SIGKILL);
    good = status_of(producer) == 0 && good;
  }
  if (!good)
    return 1;
  const std::uint64_t jobs = shared.jobs;
  const Bench unkilled(options, name + ".unkilled");
  const pid_t again = in_process([&] { produce(unkilled, shared, shared.seconds); });
  good = !options.whole || status_of(again) == 0;
  const auto other_fd = make_kept_memory("measurement-kills");
  good = good && status_of(in_process([&] { measure_once(unkilled, other_fd.get(), false, shared); })) == 0;
  good = (options.whole || status_of(again) == 0) && good;
  auto results = lines_of(killed), expected = lines_of(unkilled);
  if (!options.whole) {
    std::ranges::sort(results);
    std::ranges::sort(expected);
  }
  std::uint64_t others = results.size() != expected.size();
  for (std::size_t i = 0; i < std::min(results.size(), expected.size()); ++i)
    if (results[i] != expected[i] && others++ == 0)
      std::fprintf(stderr, "line %zu is\n%s\nand should be\n%s\n", i + 1, results[i].c_str(), expected[i].c_str());
  std::printf("%llu jobs, %zu results, %llu of them others than without kills; %llu mergers followed a snapshot\n",
              static_cast<unsigned long long>(jobs), results.size(), static_cast<unsigned long long>(others),
              static_cast<unsigned long long>(shared.snapshots.load()));
  return good && others == 0 && (options.rotate ? results.size() > jobs : results.size() == jobs) &&
                 shared.snapshots > 0
             ? 0
             : 1;
}

} // namespace

int main(int argc, char** argv) {
  Options options{{.kills = 100, .longest_us = 60'000}};
  CommandLine app("Kills mergers of a measurement at work and looks whether its results are others.",
                  "stress-measurement-kills");
  add_kill_options(app, options);
  app.add_flag("--whole", options.whole, "All records are there before the first merger is");
  app.add_flag("--rotate", options.rotate,
               "The results are one file after another, with a manifest; of all records that "
               "are there (--whole), each is in the same file");
  app.add_option("--jobs", options.jobs_a_second, "For each second");
  return run_program(app, argc, argv, [&] { return run(options); });
}
