// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-spider: jobs in, connections made, what came of them out.
#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/printable.hpp"
#include "common/process/stage.hpp"
#include "common/process/whole_number.hpp"
#include "common/system/network_interface.hpp"
#include "common/system/system_state.hpp"
#include "config.hpp"
#include "spider/connect/forge_sender.hpp"
#include "spider/engine.hpp"
#include "spider/jobs/job_filter.hpp"
#include "spider/plugin_set.hpp"
#include "spider/public_address.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace {

using namespace orbweaver;

/// So many bad lines, or jobs without a result, are named; more are only counted.
constexpr std::uint64_t max_named = 100;

struct Options {
  StageOptions stage;
  SpiderOptions spider;
  std::string interface, input = "-", out;
  std::string look_up_url; ///< empty: nothing is looked up
  std::vector<std::string> public_addresses;
  std::optional<std::uint32_t> asn;
  double timeout_s = 5;
  bool csv = false;
  unsigned ring_mib = default_job_ring_mib;
  bool describe = false;
  bool filter = false;
  std::optional<std::uint16_t> filter_port;
};

/// A plugin of the command line.
struct Candidate {
  PluginEntry entry;
  PluginArguments arguments;
  CLI::App* command = nullptr;
};

void describe(const std::vector<Candidate>& candidates) {
  std::vector<PluginDescription> plugins;
  for (const auto& candidate : candidates)
    plugins.push_back(candidate.entry.description);
  std::puts(plugins_json(plugins).c_str());
}

std::string input_name(const Options& options) {
  return options.input == "-" ? "standard input" : options.input;
}

/// Names the first bad lines.
JobReader::BadLine bad_line_namer(const Options& options) {
  return [input = input_name(options), named = std::uint64_t{0}](std::uint64_t line, const std::string& why) mutable {
    if (named++ < max_named)
      spdlog::warn("{}, line {}: {}", input, line, printable(why));
  };
}

/// Names the first jobs without a result, and counts all.
auto no_result_namer(std::uint64_t& count) {
  return [&count](const Job& job, const std::string& why) {
    if (count++ < max_named)
      spdlog::warn("{}: {}", printable(job.domain), why);
  };
}

/// Throws Error for an input that has lines, but not one job.
void require_jobs(const JobReaderCounters& counters, const Options& options) {
  if (counters.lines_bad > 0 && counters.lines_bad == counters.lines_read)
    throw Error(fmt::format("{}: no line is a job, {} {} bad{}", input_name(options), counters.lines_bad,
                            counters.lines_bad == 1 ? "is" : "are",
                            options.csv ? "" : "; give --csv-input where the lines are CSV"));
}

/// Says what the records do not tell.
void warn_of_losses(const JobReaderCounters& counters, std::uint64_t no_result, std::uint64_t members_cut,
                    const Endpoint& out) {
  if (counters.lines_bad > max_named)
    spdlog::warn("{} bad lines in all", counters.lines_bad);
  if (no_result > max_named)
    spdlog::warn("{} more domains have no result", no_result - max_named);
  if (members_cut > 0)
    spdlog::warn("what the target said was left out of {} connection records: it is too large for {}", members_cut,
                 out.kind == Endpoint::Kind::ring ? "the job ring, a larger --job-ring-mib holds it"
                                                  : "a recorded stream, a ring with a larger --job-ring-mib holds it");
}

int filter(const Options& options) {
  JobReader jobs(options.input, {.csv = options.csv, .by_domain = false, .by_either = true}, bad_line_namer(options));
  filter_jobs(jobs, options.filter_port, stdout);
  const auto& counters = jobs.counters();
  spdlog::info("{} lines: {} jobs, {} bad lines, {} duplicates", counters.lines_read, counters.jobs, counters.lines_bad,
               counters.lines_duplicate);
  require_jobs(counters, options);
  return exit_done;
}

/// Which rights a plugin's configurations need: asked before any packet is sent.
void check_rights(const std::vector<SystemConfiguration>& configurations) {
  std::vector<std::string> sysctls;
  bool nftables = false;
  for (const auto& configuration : configurations) {
    for (const auto& setting : configuration.sysctls)
      sysctls.push_back(setting.name);
    nftables = nftables || !configuration.nftables.empty();
  }
  SystemState::check_rights(sysctls, nftables);
}

void set_up_addresses(Options& options, const PluginDescription& plugin) {
  if (plugin.connect_kinds.empty())
    return;
  if (options.interface.empty())
    throw UsageError("give -i, the interface to measure from (there are " + interface_names() + ")");
  options.spider.local = LocalAddresses::of(options.interface);
  options.spider.local.set_public(options.public_addresses);
  options.spider.local.asn = options.asn;
  if (!options.look_up_url.empty())
    check_look_up_url(options.look_up_url);
}

int run(Options& options, const Candidate& candidate) {
  const PluginDescription& description = candidate.entry.description;
  if (options.out.empty())
    throw UsageError("give --out (see orbweaver-spider --help)");
  const Endpoint out = Endpoint::parse(options.out);
  if (out.kind == Endpoint::Kind::file)
    refuse_same_file(input_file(options.input), out.name);
  const auto plugin = candidate.entry.make();
  plugin->configure(candidate.arguments);
  if (const auto kind = connect_kind(candidate.arguments.connect))
    options.spider.kind = *kind;
  options.spider.timeout_ns = static_cast<std::uint64_t>(options.timeout_s * 1e9);
  set_up_addresses(options, description);
  allow_descriptors(options.spider.workers);

  JobReader jobs(options.input,
                 {.csv = options.csv, .by_domain = description.connect_kinds.empty(), .by_either = false},
                 bad_line_namer(options));
  const auto configurations = plugin->configurations();
  std::optional<ForgeSender> sender;
  std::optional<SystemState> state;
  if (description.model == Model::synchronized)
    check_rights(configurations);
  if (description.model == Model::forge) {
    sender.emplace(options.interface);
    options.spider.port_for_forged = [&](const auto& request) { return sender->port_for(request); };
    options.spider.send_forged = [&](const auto& request, auto port, auto datagram) {
      return sender->send(request, port, datagram);
    };
  }

  Stage stage(StageKind::spider, options.stage);
  RecordWriter writer = RecordWriter::open(out, job_stream_of(description, candidate.arguments, *plugin),
                                           endpoint_options(options.stage, options.ring_mib));
  if (!options.look_up_url.empty())
    look_up_public(options.look_up_url, options.spider.local, stage.stop());
  if (description.model == Model::synchronized) {
    state.emplace(stage.session_name());
    options.spider.configure_system = [&](unsigned config) {
      for (const auto& setting : configurations.at(config).sysctls)
        state->set_sysctl(setting.name, setting.value);
      state->set_nftables(configurations.at(config).nftables);
    };
  }
  std::uint64_t no_result = 0;
  options.spider.no_result = no_result_namer(no_result);
  SpiderResult result = spider(jobs, writer, description, *plugin, options.spider, stage.stop(), stage);
  if (state)
    for (const std::string& left : state->restore())
      result = {false, left, result.members_cut};
  warn_of_losses(jobs.counters(), no_result, result.members_cut, out);
  if (!result.complete) {
    spdlog::error("{}", result.problem);
    return exit_failed;
  }
  if (!stage.stop())
    require_jobs(jobs.counters(), options);
  stage.finish(stage.stop() ? StageState::stopped : StageState::finished);
  return exit_done;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("-i,--interface", options.interface, "Interface to measure from")->type_name("IFACE");
  app.add_option("--input", options.input, "Jobs: a file, or - for standard input")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--csv-input", options.csv, "Jobs are CSV: rank,domain or dip,dp,domain or dip,dp,domain,rank");
  app.add_option("-w,--workers", options.spider.workers, "Connections under way at once")
      ->type_name("N")
      ->transform(whole_number(1, max_workers))
      ->capture_default_str();
  app.add_option("--rate", options.spider.rate, "Connections a second (as fast as they end)")
      ->type_name("N")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--timeout", options.timeout_s, "Seconds that a connection may take")
      ->type_name("S")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  app.add_option("--public-address", options.public_addresses,
                 "This machine's address as others see it; one of each family")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  app.add_option("--asn", options.asn, "Autonomous system of this machine")
      ->type_name("N")
      ->transform(whole_number(0, UINT32_MAX));
  app.add_option("--look-up-public", options.look_up_url,
                 "Server to ask for what of these two is not given: answers with an address or JSON (none)")
      ->type_name("URL");
  app.add_option("--out", options.out, "Job records: ring:NAME or file:PATH")->type_name("ENDPOINT");
  app.add_option("--job-ring-mib", options.ring_mib, "Size of the job ring, where this makes it")
      ->type_name("MIB")
      ->transform(whole_number(min_ring_mib, max_ring_mib))
      ->capture_default_str();
  app.add_flag("--filter", options.filter, "Write the jobs as NDJSON, each target once, and exit");
  app.add_option("--dp", options.filter_port, "With --filter: destination port to give every job")
      ->type_name("PORT")
      ->transform(whole_number(1, 65535));
  app.add_flag("--describe-plugins", options.describe, "Print the plugins as JSON and exit");
  add_stage_options(app, options.stage);
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Orbweaver's spider: reads jobs, makes the connections of a plugin, writes what came of them.",
               "orbweaver-spider");
  app.set_version_flag("--version", "orbweaver-spider " ORBWEAVER_VERSION);
  app.get_formatter()->label("SUBCOMMAND", "PLUGIN");
  add_options(app, options);
  set_up_log(app.get_name());
  std::vector<Candidate> candidates;
  for (PluginEntry& entry : find_plugins())
    candidates.push_back({std::move(entry), {}, nullptr});
  for (Candidate& candidate : candidates)
    candidate.command = &add_plugin_command(app, candidate.entry.description, candidate.arguments);
  app.require_subcommand(0, 1);
  return run_program(app, argc, argv, [&] {
    if (options.describe) {
      describe(candidates);
      return exit_done;
    }
    if (options.filter)
      return filter(options);
    for (const Candidate& candidate : candidates)
      if (candidate.command->parsed())
        return run(options, candidate);
    throw UsageError("name a plugin (see orbweaver-spider --help)");
  });
}
