// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver: the command that people type. It starts the stages, watches them, and looks at running sessions.
#include "common/error.hpp"
#include "common/process/stage.hpp"
#include "config.hpp"
#include "tools/filter_command.hpp"
#include "tools/run/measure_command.hpp"
#include "tools/run/observe_command.hpp"
#include "tools/stats/stats_command.hpp"
#include "tools/upload/metadata.hpp"
#include "tools/upload/upload_command.hpp"
#include "tools/usage.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <spdlog/spdlog.h>
#include <string_view>
#include <utility>

namespace {

using namespace orbweaver;

/// Whether that is the command that was typed: only then is it worth asking for what it needs.
bool is_command(int argc, char** argv, std::string_view name) {
  const auto command = std::find_if(argv + 1, argv + argc, [](const char* argument) { return *argument != '-'; });
  return command != argv + argc && *command == name;
}

int run_command(int argc, char** argv) {
  refuse_empty_values({argv, static_cast<std::size_t>(argc)});
  CommandLine app("Orbweaver measures network paths: it watches traffic and says what the path did to it.",
                  "orbweaver");
  const std::string version = "orbweaver " ORBWEAVER_VERSION;
  app.set_version_flag("--version", version);
  bool verbose = false;
  app.add_flag("--verbose", verbose, "Print every message, also where many are of a kind");
  app.allow_one_subcommand();
  ObserveOptions observe_options;
  MeasureOptions measure_options;
  FilterOptions filter_options;
  MetadataOptions metadata_options;
  UploadOptions upload_options;
  StatsOptions stats_options;
  if (is_command(argc, argv, "measure"))
    for (auto& plugin : describe_plugins())
      measure_options.plugins.push_back({std::move(plugin), {}});
  const auto& observe_app = add_observe_command(app, observe_options);
  const auto& measure_app = add_measure_command(app, measure_options);
  const auto& filter_app = add_filter_command(app, filter_options);
  const auto& metadata_app = add_metadata_command(app, metadata_options);
  const auto& upload_app = add_upload_command(app, upload_options);
  const auto& stats_app = add_stats_command(app, stats_options);
  const auto& top_app = add_top_command(app, stats_options);
  for (const auto& command : app.subcommands())
    command->set_version_flag("--version", version)->group(""); // wherever it stands
  try {
    if (const auto status = app.parse(argc, argv))
      return *status; // --help, --version
  } catch (const CommandLineError& error) {
    throw UsageError(usage_error(app, error));
  }
  observe_options.verbose = observe_options.verbose || verbose;
  measure_options.verbose = measure_options.verbose || verbose;
  if (verbose)
    filter_options.spider_arguments.emplace_back("--verbose");
  if (observe_app.parsed())
    return observe(observe_options);
  if (measure_app.parsed())
    return measure(measure_options);
  if (filter_app.parsed())
    return filter(filter_options);
  if (metadata_app.parsed())
    return write_metadata(metadata_options);
  if (upload_app.parsed())
    return upload(upload_options);
  if (stats_app.parsed() || top_app.parsed())
    return stats(stats_options);
  std::fputs(app.help().c_str(), stderr);
  return exit_usage;
}

} // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN); // a reader of our messages that leaves must not keep us from cleaning up
  std::signal(SIGXFSZ, SIG_IGN); // a file that may not grow (ulimit -f) is an error of the write
  set_up_log("orbweaver");
  return report_errors([&] { return run_command(argc, argv); });
}
