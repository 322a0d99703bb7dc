// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/run.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/process/files/output_target.hpp"
#include "common/process/files/rotation.hpp"
#include "common/process/files/work_file.hpp"
#include "common/process/stage.hpp"
#include "tools/run/report/ledger.hpp"
#include "tools/run/report/progress.hpp"
#include "tools/run/supervise/pipeline.hpp"
#include "tools/run/supervise/rotate_command.hpp"
#include "tools/run/supervise/supervisor.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

using File = std::unique_ptr<FILE, decltype(&std::fclose)>;

/// For how long commands of --rotate-command may go on when the run has ended.
constexpr std::chrono::seconds command_patience{10};

/// Opened before the run, so that a place that cannot be written is told now and not at the end.
File open_summary(const std::string& path) {
  File file(path.empty() ? nullptr : std::fopen(path.c_str(), "we"), &std::fclose);
  if (!path.empty() && !file)
    throw Error("cannot write the summary to " + path + ": " + errno_text());
  return file;
}

void write_summary(File& file, const std::string& path, const std::string& text) {
  if (!file)
    return;
  const bool written = std::fputs(text.c_str(), file.get()) >= 0;
  if (std::fclose(file.release()) != 0 || !written)
    throw Error("cannot write the summary to " + path + ": " + errno_text());
}

/// What a merger that was killed has written stays, and is named; half a line at its end goes.
void name_unfinished(const StageProcess& merger, const RunOptions& options, bool grows) {
  namespace fs = std::filesystem;
  const auto& output = options.output;
  if (merger.process.end_signal() == 0 || output.empty() || output == "-")
    return;
  std::error_code none;
  const auto given = parse_output(output, {}).path;
  if (options.rotates) {
    for (const auto& left : left_files(rotated_names(given)))
      spdlog::warn("{}", to_string(left));
    return;
  }
  const auto path = fs::exists(given, none) ? fs::canonical(given, none).string() : given;
  for (const auto& left : left_files(path))
    spdlog::warn("{}", to_string(left));
  // A replay has not touched what has the output's name.
  if (std::ranges::find(merger.arguments, "--grow") != merger.arguments.end() || grows)
    cut_own_file(path);
}

/// Whether the stages have all come to their end, so that the ledger must balance.
bool ledger_is_due(RunEnd end) {
  return end == RunEnd::complete || end == RunEnd::interrupted || end == RunEnd::input_failed;
}

void report_ledger(const Ledger& ledger, RunResult& result) {
  if (ledger.balanced())
    return;
  if (!ledger_is_due(result.end)) {
    spdlog::warn("packets or flows were lost where a stage ended early; the counters of the rest are right");
    return;
  }
  for (const auto& sum : ledger.sums)
    if (!sum.balanced())
      spdlog::error("the ledger does not balance: {}", sum.text());
  result.exit_status = exit_failed;
  if (result.reason.empty())
    result.reason = "the ledger does not balance";
}

/// A merger that died leaves jobs without a result. Its count is that of its last housekeeping.
void report_unwritten(const Snapshot& snapshot) {
  const bool died = std::any_of(snapshot.stages.begin(), snapshot.stages.end(), [](const auto& stage) {
    return stage.kind == StageKind::merger && stage.state == StageState::dead;
  });
  const auto taken = job_totals_of(snapshot).taken;
  const auto written = snapshot.sum(StageKind::merger, MergerCounter::jobs_written);
  if (died && written < taken)
    spdlog::warn("{} jobs are unfinished: the merger ended before it said that it had written their results",
                 taken - written);
}

/// For how long nobody watched, and what was not seen for it.
void print_link_losses(const Snapshot& snapshot) {
  const auto losses = snapshot.sum(StageKind::capture, CaptureCounter::link_losses);
  if (losses == 0)
    return;
  const double seconds = static_cast<double>(snapshot.sum(StageKind::capture, CaptureCounter::link_away_ns)) / 1e9;
  std::fprintf(stderr, "the interface was away %s, for %.1f s in all",
               losses == 1 ? "once" : (std::to_string(losses) + " times").c_str(), seconds);
  if (snapshot.has(StageKind::spider))
    std::fprintf(stderr, ": %llu connections were not observed while packets were lost, and %llu not made",
                 static_cast<unsigned long long>(snapshot.sum(StageKind::merger, MergerCounter::missed_ring_drop)),
                 static_cast<unsigned long long>(snapshot.sum(StageKind::spider, SpiderCounter::connections_skipped)));
  std::fputs("\n", stderr);
}

/// Who died and was followed by another one.
void print_restarts(const Snapshot& snapshot) {
  std::uint64_t restarts = 0;
  for (const auto& stage : snapshot.stages)
    restarts += stage.restarts;
  if (restarts == 0)
    return;
  const auto observers = [&](std::size_t place) {
    return static_cast<unsigned long long>(snapshot.sum(StageKind::observer, place));
  };
  const double unwatched_s = static_cast<double>(snapshot.sum(StageKind::capture, CaptureCounter::unwatched_ns)) / 1e9;
  std::fprintf(
      stderr,
      "stages died and were followed %s: %llu flows were given out early, %llu broken off with %llu packets, and "
      "nobody captured for %.1f s",
      restarts == 1 ? "once" : (std::to_string(restarts) + " times").c_str(),
      observers(ObserverCounter::flows_interrupted), observers(ObserverCounter::flows_broken),
      observers(ObserverCounter::packets_broken), unwatched_s);
  if (snapshot.has(StageKind::spider))
    std::fprintf(stderr, "; %llu jobs were broken off",
                 static_cast<unsigned long long>(snapshot.sum(StageKind::spider, SpiderCounter::jobs_broken)));
  std::fputs("\n", stderr);
}

/// Which jobs say nothing of a path, since nothing was sent.
void print_not_routed(const JobTotals& totals) {
  if (totals.not_routed > 0)
    std::fprintf(stderr, "%llu of them %s not measured: no route by the interface (not_measured says which)\n",
                 static_cast<unsigned long long>(totals.not_routed), totals.not_routed == 1 ? "was" : "were");
}

/// What was done, in words.
void print_closing_lines(const Snapshot& snapshot, const RunDescription& description) {
  if (snapshot.has(StageKind::capture))
    std::fprintf(stderr, "%s\n", closing_line(totals_of(snapshot)).c_str());
  if (snapshot.has(StageKind::spider)) {
    const auto totals = job_totals_of(snapshot);
    std::fprintf(stderr, "%s\n", closing_line(totals).c_str());
    print_not_routed(totals);
  }
  print_link_losses(snapshot);
  print_restarts(snapshot);
  if (description.digest) {
    const auto digest = digest_of(snapshot);
    std::fprintf(stderr, "digest: %s\n", digest.empty() ? "none: the merger did not write all flows" : digest.c_str());
  }
}

} // namespace

int run(const RunPlan& plan, const RunOptions& options, const RunDescription& description) {
  if (options.no_sandbox)
    spdlog::warn("{}", no_sandbox_warning);
  File summary = open_summary(options.summary);
  RotateCommand rotate_command(options.rotate_command, parse_output(options.output, {}).path, options.user);
  SignalWatch signals(plan.rotates);
  Pipeline pipeline(plan);
  Progress progress(options.output.empty());
  auto result = Supervisor(signals, pipeline, plan, progress, rotate_command).run();
  name_unfinished(*pipeline.stage(StageKind::merger), options, plan.leader == StageKind::spider);
  rotate_command.finish(result.end == RunEnd::stopped ? std::chrono::seconds(0) : command_patience);

  const auto snapshot = pipeline.snapshot();
  const auto ledger = draw_ledger(snapshot);
  if (result.began) {
    report_ledger(ledger, result);
    report_unwritten(snapshot);
    print_closing_lines(snapshot, description);
  }
  write_summary(summary, options.summary,
                summary_json(description, result, snapshot, ledger,
                             options.rotate_command.empty() ? nullptr : &rotate_command.count()));
  return result.exit_status;
}

} // namespace orbweaver
