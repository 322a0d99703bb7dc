// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-merger: reads flow streams and writes every flow as a line of NDJSON.
#include "common/endpoint.hpp"
#include "common/stage.hpp"
#include "config.hpp"
#include "merger/merger.hpp"
#include "merger/output.hpp"

#include <CLI/CLI.hpp>
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
  StageOptions stage;
};

int run(const Options& options) {
  std::vector<Endpoint> endpoints;
  for (const auto& text : options.flows)
    endpoints.push_back(Endpoint::parse(text));
  for (const auto& endpoint : endpoints)
    if (endpoint.kind == Endpoint::Kind::file && !options.output.empty())
      refuse_same_file(endpoint.name, options.output);
  Stage stage(StageKind::merger, options.stage);
  Output output(options.output);
  std::vector<RecordReader> streams;
  const auto endpoint_opts = endpoint_options(options.stage, default_flow_ring_mib);
  for (const auto& endpoint : endpoints)
    streams.push_back(RecordReader::open(endpoint, StreamKind::flows, endpoint_opts, &stage.stop_reading()));

  Merger merger(std::move(streams), output, options.digest,
                [&](auto counters, std::uint64_t now_ns) { stage.publish(counters, now_ns); });
  const bool alone = options.stage.session.empty();
  const bool complete = merger.run(stage.stop_reading());
  for (const auto& problem : merger.problems())
    spdlog::error("{}", problem);
  if (options.digest && alone && !output.failed())
    std::fprintf(stderr, "digest: %s\n", merger.digest().text().c_str());
  stage.finish(complete ? StageState::finished : StageState::failed);
  return complete ? exit_done : exit_failed;
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Reads streams of flows and writes every flow as a line of NDJSON.", "orbweaver-merger");
  app.set_version_flag("--version", "orbweaver " ORBWEAVER_VERSION);
  app.add_option("--flows", options.flows, "A stream of flows: ring:NAME or file:PATH; may be given several times")
      ->type_name("ENDPOINT")
      ->allow_extra_args(false)
      ->required();
  app.add_option("-o,--output", options.output,
                 "Write to this file, which appears when it is complete [standard output]")
      ->type_name("FILE");
  app.add_flag("--digest", options.digest, "Also print a hash of all flows that does not depend on their order");
  add_stage_options(app, options.stage);
  return run_program(app, argc, argv, [&] { return run(options); });
}
