// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/run.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/printable.hpp"
#include "common/system/memory_limit.hpp"
#include "common/system/namespace_claim.hpp"
#include "common/system/network_interface.hpp"
#include "common/system/system_state.hpp"
#include "spider/cage.hpp"
#include "spider/connect/forge_sender.hpp"
#include "spider/jobs/job_filter.hpp"
#include "spider/plugin_set.hpp"
#include "spider/system/public_address.hpp"
#include "spider/system/system_helper.hpp"

#include <csignal>
#include <cstdio>
#include <optional>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

/// So many bad lines of a filter's input are named; more are only counted.
constexpr std::uint64_t max_named = 100;

void describe(const SpiderArguments& arguments) {
  std::vector<PluginDescription> plugins;
  for (const auto& plugin : arguments.plugins)
    plugins.push_back(plugin.entry.description);
  print(plugins_json(plugins));
}

/// Names bad lines.
JobReader::BadLine bad_line_namer(const SpiderArguments& arguments) {
  return [input = arguments.input_name()](std::uint64_t line, const std::string& why) {
    spdlog::warn("{}, line {}: {}", input, line, printable(why));
  };
}

/// The same for a filter, which keeps no list of messages: the first ones.
JobReader::BadLine first_bad_lines_namer(const SpiderArguments& arguments) {
  return [name = bad_line_namer(arguments), named = std::uint64_t{0},
          all = arguments.stage.verbose](std::uint64_t line, const std::string& why) mutable {
    if (named++ < max_named || all)
      name(line, why);
  };
}

void name_job_without_result(const Job& job, const std::string& why) {
  spdlog::warn("'{}' has no result: {}", printable(job.domain), why);
}

void name_job_without_route(const Job& job, const std::string& why) {
  spdlog::warn("job {} is not measured: '{}': {}", job.id, address_text(job.destination), why);
}

void name_link_change(bool away) {
  if (away)
    spdlog::warn("the interface is away: no connection is started until it is back");
  else
    spdlog::warn("the interface is back: connections are started again");
}

/// What a predecessor died of may be the plugin.
auto take_over_namer(const SpiderArguments& arguments) {
  return [&arguments](std::uint64_t line, std::uint64_t broken, const PluginCall& call) {
    spdlog::info("goes on behind line {} of {}: {} jobs that were under way are finished as they are", line,
                 arguments.input_name(), broken);
    if (call.job_id != 0 && arguments.stage.takes_over != SIGKILL)
      spdlog::error("the last one died in the plugin's {} for job {} (line {} of {})", call.name.data(), call.job_id,
                    call.line, arguments.input_name());
  };
}

/// Throws Error for an input that has lines, but not one job.
void require_jobs(const JobReaderCounters& counters, const SpiderArguments& arguments) {
  if (counters.lines_bad > 0 && counters.lines_bad == counters.lines_read)
    throw Error(fmt::format("{}: no line is a job, {} {} bad{}", arguments.input_name(), counters.lines_bad,
                            counters.lines_bad == 1 ? "is" : "are",
                            arguments.csv ? "" : "; give --csv-input where the lines are CSV"));
}

/// What the targets that were there before may take: a share, others need memory too.
std::uint64_t target_octets() {
  return memory_left() / 8;
}

int filter(const SpiderArguments& arguments) {
  JobReader jobs(arguments.input,
                 {.csv = arguments.csv, .by_domain = false, .by_either = true, .target_octets = target_octets()},
                 first_bad_lines_namer(arguments));
  filter_jobs(jobs, arguments.filter_port, stdout);
  const auto& counters = jobs.counters();
  spdlog::info("{} lines: {} jobs, {} bad lines, {} duplicates", counters.lines_read, counters.jobs, counters.lines_bad,
               counters.lines_duplicate);
  require_jobs(counters, arguments);
  return exit_done;
}

std::string origin_of(const PluginDescription& description) {
  return description.origin.empty() ? "" : " (" + description.origin + ")";
}

/// Which rights a plugin's configurations need: asked before any packet is sent.
void check_rights(const std::vector<SystemConfiguration>& configurations) {
  std::vector<std::string> sysctls;
  for (const auto& configuration : configurations)
    for (const auto& setting : configuration.sysctls)
      sysctls.push_back(setting.name);
  SystemState::check_rights(sysctls);
}

LocalAddresses local_addresses(const SpiderArguments& arguments) {
  if (arguments.interface.empty())
    throw UsageError("give -i, the interface to measure from (there are " + interface_names() + ")");
  LocalAddresses local = LocalAddresses::of(arguments.interface);
  local.set_sources(arguments.sources);
  local.set_public(arguments.public_addresses);
  local.asn = arguments.asn;
  if (!arguments.look_up_url.empty())
    check_look_up_url(arguments.look_up_url);
  return local;
}

/// What the engine has to know, as far as the command line says it.
SpiderOptions engine_options(const SpiderArguments& arguments, const PluginCommand& chosen) {
  SpiderOptions options = arguments.spider;
  if (const auto kind = connect_kind(chosen.arguments.connect))
    options.kind = *kind;
  options.timeout_ns = static_cast<std::uint64_t>(arguments.timeout_s * 1e9);
  if (!chosen.entry.description.connect_kinds.empty())
    options.local = local_addresses(arguments);
  options.member_left_out = MemberWarnings(chosen.entry.description.name);
  options.plugin_failed = [plugin = chosen.entry.description.name](const Job& job, std::string_view call,
                                                                   const std::string& what) {
    spdlog::warn("plugin {}, job {}: {} failed: {}", plugin, job.id, call, printable(what));
  };
  return options;
}

/// Where packets can be forged.
void send_by(ForgeSender& sender, SpiderOptions& options) {
  options.port_for_forged = [&](const auto& request) { return sender.port_for(request); };
  options.send_forged = [&](const auto& request, auto port, auto datagram) {
    return sender.send(request, port, datagram);
  };
}

int measure(const SpiderArguments& arguments, const PluginCommand& chosen) {
  const PluginDescription& description = chosen.entry.description;
  if (arguments.out.empty())
    throw UsageError("give --out (see orbweaver-spider --help)");
  const Endpoint out = Endpoint::parse(arguments.out);
  if (out.kind == Endpoint::Kind::file)
    refuse_same_file(input_file(arguments.input), out.name);
  const auto plugin = chosen.entry.make();
  if (!plugin)
    throw Error("plugin " + description.name + " could not be made" + origin_of(description));
  plugin->configure(chosen.arguments);
  const auto configurations = plugin->configurations();
  if (const auto why = why_not_runnable(description, *plugin, configurations.size()); !why.empty())
    throw Error("plugin " + description.name + " cannot be run: " + why + origin_of(description));
  SpiderOptions options = engine_options(arguments, chosen);
  allow_descriptors(options.workers);
  std::optional<KeptJobs> kept;
  if (arguments.stage.kept_fd >= 0)
    options.kept = &kept.emplace(arguments.stage.kept_fd);
  options.takes_over = options.kept ? arguments.stage.takes_over : -1;
  options.taken_over = take_over_namer(arguments);
  JobReader jobs(arguments.input,
                 {.csv = arguments.csv,
                  .by_domain = description.connect_kinds.empty(),
                  .by_either = false,
                  .target_octets = target_octets()},
                 bad_line_namer(arguments), kept ? kept->input() : JobReaderMemory{});
  if (description.model == Model::synchronized)
    check_rights(configurations);
  std::optional<RouteFinder> routes;
  if (!description.connect_kinds.empty())
    routes.emplace(options.local.interface, options.local.source4, options.local.source6);
  options.route_to = [&routes](const auto& target, auto protocol, auto port) {
    return routes->to(target, protocol, port);
  };
  std::optional<ForgeSender> sender;
  if (description.model == Model::forge)
    send_by(sender.emplace(arguments.interface), options);

  Stage stage(StageKind::spider, arguments.stage);
  RecordWriter writer = RecordWriter::open(out, job_stream_of(description, chosen.arguments, *plugin),
                                           endpoint_options(arguments.stage, arguments.ring_mib));
  std::optional<NamespaceClaim> claim; // before the helper, which has it too, until all is put back
  if (!description.connect_kinds.empty())
    claim.emplace(stage.session_name(),
                  configurations.empty() ? NamespaceClaim::Kind::measures : NamespaceClaim::Kind::changes);
  std::optional<SystemHelper> system;
  if (description.model == Model::synchronized) {
    system.emplace(stage.session_name(), configurations, arguments.stage.caged && !arguments.stage.no_sandbox,
                   arguments.stage.try_in_helper);
    options.configure_system = [&](unsigned config) {
      try {
        system->configure(config);
      } catch (const HelperGone& gone) {
        if (!options.kept)
          throw;
        spdlog::error("{}: the spider goes with it, and who follows has another one", gone.what());
        raise(SIGKILL);
      }
    };
  }
  stage.enter_cage(spider_cage());
  if (!arguments.look_up_url.empty())
    look_up_public(arguments.look_up_url, options.local, *routes, stage.stop());
  options.no_result = name_job_without_result;
  options.not_routed = name_job_without_route;
  options.link_changed = name_link_change;
  SpiderResult result = spider(jobs, writer, description, *plugin, options, stage.stop(), stage);
  if (system)
    if (const std::string left = system->restore(); !left.empty())
      result = {false, left};
  if (!result.complete) {
    spdlog::error("{}", result.problem);
    return exit_failed;
  }
  if (!stage.stop())
    require_jobs(jobs.counters(), arguments);
  stage.finish(stage.stop() ? StageState::stopped : StageState::finished);
  return exit_done;
}

} // namespace

void MemberWarnings::operator()(const Job& job, const std::string& of, const json::CheckedMembers::LeftOut& member) {
  if (named_.size() >= max_named || !named_.insert(member.key).second)
    return;
  const auto what = member.key.empty() ? "members are" : "\"" + printable(member.key.substr(0, 60)) + "\" is";
  spdlog::warn("plugin {}, job {}: {} left out of {}: {}; more of the kind are counted (members_bad)", plugin_, job.id,
               what, of, member.why);
}

int run_spider(const SpiderArguments& arguments) {
  if (arguments.describe) {
    describe(arguments);
    return exit_done;
  }
  if (arguments.filter)
    return filter(arguments);
  if (const PluginCommand* const chosen = arguments.chosen())
    return measure(arguments, *chosen);
  throw UsageError("name a plugin (see orbweaver-spider --help)");
}

} // namespace orbweaver
