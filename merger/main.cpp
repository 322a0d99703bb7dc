// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-merger: reads flow streams and writes every flow and event as NDJSON or CSV, or joins the flows with the
// jobs of an active measurement and writes every job as a line, with its conditions.
#include "common/error.hpp"
#include "common/process/files/output_target.hpp"
#include "common/process/files/rotation.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/process/stage.hpp"
#include "common/stream/endpoint.hpp"
#include "common/system/memory_limit.hpp"
#include "config.hpp"
#include "merger/cage.hpp"
#include "merger/conditions/library.hpp"
#include "merger/follow/checkpoint.hpp"
#include "merger/follow/snapshots.hpp"
#include "merger/measure/measurement.hpp"
#include "merger/merger.hpp"
#include "merger/rotation.hpp"
#include "merger/sinks/file_series.hpp"
#include "merger/sinks/make_sink.hpp"
#include "merger/sinks/output.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <spdlog/spdlog.h>
#include <string>
#include <utility>
#include <vector>

using namespace orbweaver;

namespace {

struct Options {
  std::vector<std::string> flows;
  std::string output;
  std::string format;
  bool grow = false;
  unsigned sync_s = 0;
  std::string on_full = "wait";
  FileBound rotate;
  FileBound keep;
  bool digest = false;
  std::string jobs; ///< none: every flow is written
  std::string plugin;
  double answer_timeout_s = 0;
  MeasurementOptions measurement;
  StageOptions stage;
};

Endpoint parse_input(const std::string& text, const OutputTarget& target) {
  auto endpoint = Endpoint::parse(text);
  if (endpoint.kind == Endpoint::Kind::file && !target.path.empty())
    refuse_same_file(endpoint.name, target.path);
  return endpoint;
}

/// Says what is left to say of a merger or a measurement that has run.
template <typename Done>
int report(const Done& done, bool complete, const Options& options, bool failed, Stage& stage) {
  for (const auto& warning : done.warnings())
    spdlog::warn("{}", warning);
  for (const auto& problem : done.problems())
    spdlog::error("{}", problem);
  const bool alone = options.stage.session.empty();
  if (options.digest && alone && !failed)
    std::fprintf(stderr, "digest: %s\n", done.digest().text().c_str());
  stage.finish(complete ? StageState::finished : StageState::failed);
  return complete ? exit_done : exit_failed;
}

/// Set by SIGHUP: the next file is to begin now.
std::atomic<bool> next_file{false};

extern "C" void on_hangup(int) {
  next_file.store(true, std::memory_order_relaxed);
}

/// The outputs as one file after another, where that is asked for.
std::unique_ptr<FileSeries> series_of(const Options& options, const std::string& path,
                                      const FileSeriesMark* left = nullptr) {
  if (!options.rotate)
    return nullptr;
  struct sigaction action {};
  action.sa_handler = on_hangup;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGHUP, &action, nullptr);
  return std::make_unique<FileSeries>(
      rotated_names(path), options.keep, [](const std::string& warning) { spdlog::warn("{}", warning); }, left);
}

std::optional<Rotation> rotation_of(const Options& options, FileSeries* series, std::size_t streams,
                                    const OutputPolicy& policy) {
  if (!series)
    return std::nullopt;
  return std::optional<Rotation>(std::in_place, options.rotate, streams, *series, next_file, policy.wait_on);
}

/// How the outputs are written. While a disk is full, `tell` is called.
OutputPolicy policy_of(const Options& options, Appears appears, const Stage& stage, std::function<void()>& tell,
                       FileSeries* series) {
  OutputPolicy policy{
      appears, options.sync_s, {}, [](const std::string& warning) { spdlog::warn("{}", warning); }, series};
  if (options.on_full == "wait")
    policy.wait_on = [&stage, &tell] {
      if (tell)
        tell();
      return !stage.stop().load(std::memory_order_relaxed);
    };
  return policy;
}

/// Tells the counters, those that go on from a predecessor's with them.
PublishCounters publish_with(Stage& stage) {
  return [&stage](std::span<const std::uint64_t> counters, std::uint64_t now_ns) {
    std::array<std::uint64_t, MergerCounter::count> all{};
    std::copy_n(counters.begin(), std::min(counters.size(), all.size()), all.begin());
    all[MergerCounter::disk_full_ns] += stage.counters_before()[MergerCounter::disk_full_ns];
    stage.publish(all, now_ns);
  };
}

int merge(Stage& stage, const Options& options, const OutputTarget& target, const auto& open_flows) {
  std::function<void()> tell;
  std::optional<Checkpoints> checkpoints;
  if (options.stage.kept_fd >= 0)
    checkpoints.emplace(options.stage.kept_fd, options.stage.takes_over);
  const Checkpoint* const left = checkpoints ? checkpoints->left() : nullptr;
  std::optional<AsUser> user(stage.user_to_become());
  const auto series = series_of(options, target.path, left ? &left->series : nullptr);
  auto policy = policy_of(options, options.grow ? Appears::growing : Appears::complete, stage, tell, series.get());
  auto rotation = rotation_of(options, series.get(), options.flows.size(), policy);
  std::optional<PipeSpool> spool;
  if (checkpoints)
    policy.spool = &spool.emplace(options.stage.kept_fd, Checkpoints::spool_at());
  std::size_t file = 0;
  if (left) {
    policy.resume = [&] { return file < left->file_count ? &left->files[file++] : nullptr; };
    policy.completing = left->completion.under_way;
  }
  const auto sink = make_sink(target, policy);
  user.reset();
  auto flows = open_flows();
  Merger merger(std::move(flows), *sink, options.digest, publish_with(stage), rotation ? &*rotation : nullptr,
                checkpoints ? &*checkpoints : nullptr, options.stage.poison_fd);
  if (series)
    series->note_by([&merger] { merger.note(); });
  stage.keep(0, merger.can_be_followed());
  tell = [&merger] { merger.tell(monotonic_ns()); };
  stage.enter_cage(merger_cage(target.path));
  const bool complete = merger.run(stage.stop_reading());
  return report(merger, complete, options, sink->failed(), stage);
}

/// `asked`: the conditions of --plugin; nullptr where it was not given.
int measure(Stage& stage, const Options& options, const OutputTarget& target, const CombinerEntry* asked,
            const auto& open_flows, const auto& open_jobs) {
  std::function<void()> tell;
  std::optional<Snapshots> snapshots;
  if (options.stage.kept_fd >= 0)
    snapshots.emplace(options.stage.kept_fd, options.stage.takes_over);
  const SnapshotHead* const left = snapshots && snapshots->left() ? &snapshots->left()->head : nullptr;
  std::optional<AsUser> user(stage.user_to_become());
  const auto series = series_of(options, target.path, left ? &left->series : nullptr);
  auto policy = policy_of(options, Appears::growing, stage, tell, series.get());
  auto rotation = rotation_of(options, series.get(), std::max<std::size_t>(options.flows.size(), 1), policy);
  std::optional<PipeSpool> spool;
  if (snapshots)
    policy.spool = &spool.emplace(options.stage.kept_fd, Snapshots::spool_at());
  if (left) {
    policy.resume = [left] { return &left->output; };
    policy.completing = left->completion.under_way;
  }
  Output output(target.path, "jobs", policy);
  user.reset();
  auto flows = open_flows();
  // Where the plugin is known beforehand: the spider makes no connection yet.
  if (asked)
    for (const auto& reader : flows)
      static_cast<void>(FlowFields(*asked, reader.stream().tables.front(), reader.name()));
  auto jobs = open_jobs();
  const auto combiner = combiner_of(jobs.stream(), jobs.name(), asked);
  auto how = options.measurement;
  how.digest = options.digest;
  keep_within(snapshots ? memory_left() / 2 : memory_left(), how); // what is kept is there up to three times
  if (snapshots)
    snapshots->keep_limits(how);
  how.join.answer_ns = static_cast<std::uint64_t>(options.answer_timeout_s * 1e9);
  Measurement measurement(
      std::move(jobs), std::move(flows), output, combiner, how, publish_with(stage),
      [](const std::string& warning) { spdlog::warn("{}", warning); }, rotation ? &*rotation : nullptr,
      snapshots ? &*snapshots : nullptr, options.stage.poison_fd);
  if (series)
    series->note_by([&measurement] { measurement.note(); });
  stage.keep(0, measurement.can_be_followed());
  tell = [&measurement] { measurement.tell(monotonic_ns()); };
  stage.enter_cage(merger_cage(target.path));
  const bool complete = measurement.run(stage.stop_reading());
  return report(measurement, complete, options, output.failed(), stage);
}

int run(const Options& options) {
  if (options.flows.empty() && options.jobs.empty())
    throw UsageError("--flows is required, or --jobs");
  const bool is_active = !options.jobs.empty();
  const auto target = is_active ? parse_results_output(options.output) : parse_output(options.output, options.format);
  // What cannot be is told before anything is waited for.
  check_rotation(static_cast<bool>(options.rotate), static_cast<bool>(options.keep), target.path);
  std::vector<Endpoint> endpoints;
  for (const auto& text : options.flows)
    endpoints.push_back(parse_input(text, target));
  const auto jobs = is_active ? parse_input(options.jobs, target) : Endpoint{};
  std::optional<CombinerEntry> asked;
  if (!options.plugin.empty())
    asked = find_combiner(options.plugin); // a name that nobody has is bad usage
  Stage stage(StageKind::merger, options.stage);
  const auto open = [&](const Endpoint& endpoint, StreamKind kind) {
    return RecordReader::open(endpoint, kind, endpoint_options(options.stage, default_flow_ring_mib),
                              &stage.stop_reading());
  };
  const auto open_flows = [&] {
    std::vector<RecordReader> flows;
    for (const auto& endpoint : endpoints)
      flows.push_back(open(endpoint, StreamKind::flows));
    return flows;
  };
  if (!is_active)
    return merge(stage, options, target, open_flows);
  return measure(stage, options, target, asked ? &*asked : nullptr, open_flows,
                 [&] { return open(jobs, StreamKind::jobs); });
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine app(
      "Reads streams of flows and writes every flow and event as NDJSON or CSV, or with --jobs every job of an active "
      "measurement as NDJSON.",
      "orbweaver-merger");
  app.set_version_flag("--version", "orbweaver-merger " ORBWEAVER_VERSION);
  app.add_option("--flows", options.flows, "A stream of flows: ring:NAME or file:PATH; may be given several times")
      ->type_name("ENDPOINT")
      ->allow_extra_args(false);
  app.add_option("-o,--output", options.output,
                 "Write to this file, which appears when it is complete, or with --grow or --jobs grows behind what is "
                 "in it [standard output]; "
                 "FORMAT:FILE, or the file's suffix, picks the format")
      ->type_name("FILE");
  auto* const format =
      app.add_option("--format", options.format, "How flows and events are written: " + output_format_names());
  format->type_name("FORMAT");
  app.add_flag("--grow", options.grow, "Write to the file as flows come, behind what is in it");
  app.add_option("--sync", options.sync_s, "Bring what is written to the disk so often, for a power cut (never)")
      ->type_name("S")
      ->transform(whole_number(0, 86'400));
  app.add_option("--on-full", options.on_full, "On a full disk: wait until there is room, or stop")
      ->type_name("wait|stop")
      ->one_of({"wait", "stop"}, false)
      ->capture_default_str();
  app.add_option_function(
         "--rotate", [&options](const std::string& text) { options.rotate = parse_file_bound("--rotate", text); },
         "Go on with a new file after so much of the packet clock, or so many octets, and on SIGHUP; --output has the "
         "time in its name: flows-%Y%m%dT%H%M%SZ.ndjson")
      ->type_name("5m|1GiB");
  app.add_option_function(
         "--keep", [&options](const std::string& text) { options.keep = parse_file_bound("--keep", text); },
         "With --rotate: remove the oldest files so that no older ones, or no more octets, stay")
      ->type_name("7d|100GiB");
  app.add_flag("--digest", options.digest, "Also print a hash of all flows that does not depend on their order");
  auto* const jobs = app.add_option("--jobs", options.jobs, "The spider's stream of jobs, to join flows with");
  jobs->type_name("ENDPOINT")->excludes(format);
  app.add_option("--plugin", options.plugin, "The plugin that the jobs must be of [whichever they are of]")
      ->type_name("NAME")
      ->needs(jobs);
  auto& measurement = options.measurement;
  app.add_flag("--output-flows", measurement.output_flows, "Also write the flows of each job")->needs(jobs);
  app.add_flag("--server-mode", measurement.join.server_mode, "The targets connect to us")->needs(jobs);
  app.add_option("--missed-after", measurement.join.missed_after_s,
                 "How long a connection waits for its flow, by the packets' clock")
      ->type_name("SECONDS")
      ->transform(whole_number(0, 86'400))
      ->capture_default_str()
      ->needs(jobs);
  app.add_option("--answer-timeout", options.answer_timeout_s,
                 "How long after a connection's end its answer may come: forged packets are only sent")
      ->type_name("SECONDS")
      ->transform(number(0, 3600))
      ->capture_default_str()
      ->needs(jobs);
  add_stage_options(app, options.stage);
  return run_program(app, argc, argv, [&] { return run(options); });
}
