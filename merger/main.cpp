// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-merger: reads flow streams and writes every flow as a line of NDJSON, or joins them with the jobs of an
// active measurement and writes every job as a line, with its conditions.
#include "common/error.hpp"
#include "common/process/stage.hpp"
#include "common/process/whole_number.hpp"
#include "common/stream/endpoint.hpp"
#include "config.hpp"
#include "merger/conditions/library.hpp"
#include "merger/measurement.hpp"
#include "merger/merger.hpp"
#include "merger/sinks/output.hpp"

#include <cstdio>
#include <spdlog/spdlog.h>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

struct Options {
  std::vector<std::string> flows;
  std::string output;
  bool digest = false;
  std::string jobs; ///< none: every flow is written
  std::string plugin;
  double answer_timeout_s = 0;
  MeasurementOptions measurement;
  StageOptions stage;
};

Endpoint parse_input(const std::string& text, const Options& options) {
  auto endpoint = Endpoint::parse(text);
  if (endpoint.kind == Endpoint::Kind::file && !options.output.empty())
    refuse_same_file(endpoint.name, options.output);
  return endpoint;
}

/// Says what is left to say of a merger or a measurement that has run.
template <typename Done>
int report(const Done& done, bool complete, const Options& options, const Output& output, Stage& stage) {
  for (const auto& warning : done.warnings())
    spdlog::warn("{}", warning);
  for (const auto& problem : done.problems())
    spdlog::error("{}", problem);
  const bool alone = options.stage.session.empty();
  if (options.digest && alone && !output.failed())
    std::fprintf(stderr, "digest: %s\n", done.digest().text().c_str());
  stage.finish(complete ? StageState::finished : StageState::failed);
  return complete ? exit_done : exit_failed;
}

int run(const Options& options) {
  if (options.flows.empty() && options.jobs.empty())
    throw UsageError("--flows is required, or --jobs");
  std::vector<Endpoint> endpoints;
  for (const auto& text : options.flows)
    endpoints.push_back(parse_input(text, options));
  const bool is_active = !options.jobs.empty();
  const auto jobs = is_active ? parse_input(options.jobs, options) : Endpoint{};
  const auto combiner = is_active ? find_combiner(options.plugin) : CombinerEntry{};
  Stage stage(StageKind::merger, options.stage);
  const auto endpoint_opts = endpoint_options(options.stage, default_flow_ring_mib);
  const auto open = [&](const Endpoint& endpoint, StreamKind kind) {
    return RecordReader::open(endpoint, kind, endpoint_opts, &stage.stop_reading());
  };
  // A file that grows is emptied as it is opened: only once the files to read are known to be streams.
  for (const auto& endpoint : endpoints)
    if (endpoint.kind == Endpoint::Kind::file)
      static_cast<void>(open(endpoint, StreamKind::flows));
  if (is_active && jobs.kind == Endpoint::Kind::file)
    static_cast<void>(open(jobs, StreamKind::jobs));
  auto output = is_active ? Output(options.output, "jobs", Appears::growing) : Output(options.output);
  std::vector<RecordReader> flows;
  for (const auto& endpoint : endpoints)
    flows.push_back(open(endpoint, StreamKind::flows));
  const auto publish = [&](auto counters, std::uint64_t now_ns) { stage.publish(counters, now_ns); };
  if (!is_active) {
    Merger merger(std::move(flows), output, options.digest, publish);
    const bool complete = merger.run(stage.stop_reading());
    return report(merger, complete, options, output, stage);
  }
  auto how = options.measurement;
  how.digest = options.digest;
  how.join.answer_ns = static_cast<std::uint64_t>(options.answer_timeout_s * 1e9);
  Measurement measurement(open(jobs, StreamKind::jobs), std::move(flows), output, combiner, how, publish,
                          [](const std::string& warning) { spdlog::warn("{}", warning); });
  const bool complete = measurement.run(stage.stop_reading());
  return report(measurement, complete, options, output, stage);
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine app(
      "Reads streams of flows and writes every flow as a line of NDJSON, or with --jobs every job of an active "
      "measurement.",
      "orbweaver-merger");
  app.set_version_flag("--version", "orbweaver-merger " ORBWEAVER_VERSION);
  app.add_option("--flows", options.flows, "A stream of flows: ring:NAME or file:PATH; may be given several times")
      ->type_name("ENDPOINT")
      ->allow_extra_args(false);
  app.add_option("-o,--output", options.output,
                 "Write to this file, which appears when it is complete, or with --jobs grows [standard output]")
      ->type_name("FILE");
  app.add_flag("--digest", options.digest, "Also print a hash of all flows that does not depend on their order");
  auto* const jobs = app.add_option("--jobs", options.jobs, "The spider's stream of jobs, to join flows with");
  jobs->type_name("ENDPOINT");
  auto* const plugin = app.add_option("--plugin", options.plugin, "The plugin whose conditions are written");
  plugin->type_name("NAME")->needs(jobs);
  jobs->needs(plugin);
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
