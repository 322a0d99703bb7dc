// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/measure_command.hpp"

#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/process/files/output_target.hpp"
#include "common/process/options/chain_list.hpp"
#include "common/process/options/defaults.hpp"
#include "common/stream/endpoint.hpp"
#include "common/system/network_interface.hpp"
#include "common/system/system_state.hpp"
#include "tools/run/options/option_groups.hpp"
#include "tools/run/run.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace orbweaver {

namespace {

/// Long enough for the last packets of the last connections to come through capture and observers.
constexpr double default_settle_s = 1;
/// The same where the last answers may come --timeout after the last packet sent.
constexpr double forge_settle_s = 0.25;

/// Throws Error where connections cannot go out on the interface.
void check_interface(const MeasureOptions& options) {
  const auto& name = options.interface;
  if (name.empty())
    throw UsageError("say on which interface to measure: -i IFACE; there are: " + interface_names());
  require_interface(name);
  const bool has_source = std::ranges::any_of(options.spider_arguments,
                                              [](const auto& argument) { return argument.starts_with("--source="); });
  if (!has_source && !interface_has_address(name))
    throw Error("interface " + name + " has no address to connect from: ip address add ADDRESS/LENGTH dev " + name +
                ", or --source ADDRESS of another interface");
}

const MeasureOptions::Choice& chosen_plugin(const MeasureOptions& options) {
  if (options.chosen)
    return options.plugins[*options.chosen];
  std::string names;
  for (const auto& choice : options.plugins)
    names += " " + choice.plugin.name;
  throw UsageError("name a plugin; there are" + names + " (orbweaver measure --help tells more)");
}

double settle_s(const MeasureOptions& options, const PluginDescription& plugin) {
  const double settle = options.settle_s.value_or(default_settle_s);
  return plugin.model == Model::forge ? std::max(settle, options.timeout_s + forge_settle_s) : settle;
}

/// Seconds that were given for a stage's option (see hand_on()).
std::optional<std::uint64_t> seconds_given(const std::vector<std::string>& arguments, const std::string& option) {
  for (const auto& argument : arguments)
    if (argument.starts_with(option + "="))
      return std::stoull(argument.substr(option.size() + 1));
  return std::nullopt;
}

std::uint64_t idle_timeout_s(const MeasureOptions& options) {
  return seconds_given(options.observer_arguments, "--idle-timeout").value_or(default_idle_timeout_s);
}
std::uint64_t complete_timeout_s(const MeasureOptions& options) {
  return seconds_given(options.observer_arguments, "--complete-timeout").value_or(default_complete_timeout_s);
}
std::uint64_t missed_after_s(const MeasureOptions& options) {
  return seconds_given(options.merger_arguments, "--missed-after").value_or(default_missed_after_s);
}

} // namespace

MeasureOptions with_idle_timeout(MeasureOptions options) {
  const auto needed_s = static_cast<std::uint64_t>(std::ceil(options.timeout_s)) + 1;
  if (idle_timeout_s(options) >= needed_s)
    return options;
  if (seconds_given(options.observer_arguments, "--idle-timeout"))
    throw UsageError(fmt::format("--idle-timeout {} is too short for --timeout {}: the flow of a connection that waits "
                                 "would end before it; give --idle-timeout {} or more",
                                 idle_timeout_s(options), options.timeout_s, needed_s));
  options.observer_arguments.push_back(fmt::format("--idle-timeout={}", needed_s));
  if (!seconds_given(options.merger_arguments, "--missed-after"))
    options.merger_arguments.push_back(
        fmt::format("--missed-after={}", missed_after_s(needed_s, complete_timeout_s(options))));
  return options;
}

std::string late_flows_warning(const MeasureOptions& options) {
  const auto idle_s = idle_timeout_s(options), complete_s = complete_timeout_s(options);
  if (missed_after_s(options) > idle_s + complete_s)
    return {};
  return fmt::format(
      "a flow may come {} s after its last packet (--idle-timeout {}, --complete-timeout {}), and is waited "
      "for --missed-after {}: connections will be missed as never_seen though they were seen; make "
      "--missed-after longer, or the timeouts shorter",
      idle_s + complete_s, idle_s, complete_s, missed_after_s(options));
}

RunPlan measure_plan(const MeasureOptions& options, const MeasureOptions::Choice& choice, std::uint32_t needs) {
  const auto& plugin = choice.plugin;
  RunPlan plan = empty_plan(options);
  plan.leader = StageKind::spider;
  restart_stages(plan, options, parse_results_output(options.output).path);
  plan.settle = std::chrono::milliseconds(std::lround(settle_s(options, plugin) * 1000));
  plan.patience += std::chrono::seconds(std::lround(std::ceil(options.timeout_s)));
  if (!plugin.chains.empty())
    add_watchers(plan, options, {options.interface}, plugin.chains, needs);

  plan.rings.push_back({"jobs", 0, options.job_ring_mib});
  std::vector<std::string> merger_arguments{"--plugin=" + plugin.name};
  if (plugin.server_mode)
    merger_arguments.emplace_back("--server-mode");
  if (plugin.model == Model::forge)
    merger_arguments.push_back(fmt::format("--answer-timeout={}", options.timeout_s));
  add_merger(plan, options, merger_arguments, true);

  StagePlan spider{StageKind::spider, 0, {}, {{"--out", "jobs", 0}}, options.spider_arguments, {}};
  spider.streams.inherit_stdin = options.input == "-";
  spider.arguments.push_back("--input=" + options.input);
  if (!options.interface.empty())
    spider.arguments.push_back("--interface=" + options.interface);
  spider.arguments.push_back(fmt::format("--timeout={}", options.timeout_s));
  spider.arguments.push_back(plugin.name);
  for (const auto& argument : plugin_command_line(plugin, choice.arguments))
    spider.arguments.push_back(argument);
  plan.stages.push_back(std::move(spider));
  return plan;
}

int measure(const MeasureOptions& given) {
  const MeasureOptions options = with_idle_timeout(given);
  const auto& choice = chosen_plugin(options);
  const auto& plugin = choice.plugin;
  const bool watches = !plugin.chains.empty();
  if (watches || !options.interface.empty())
    check_interface(options);
  check_rotation(options, parse_results_output(options.output).path);
  for (const auto& output : {parse_results_output(options.output).path, options.summary})
    refuse_same_file(input_file(options.input), output);
  refuse_shared_output(options);
  if (const auto warning = late_flows_warning(options); watches && !warning.empty())
    spdlog::warn("{}", warning);
  if (options.input == "-" && isatty(STDIN_FILENO))
    spdlog::info("reading jobs from the terminal, one a line; Ctrl-D ends them");
  for (const auto& sentence : restore_dead_system_states())
    spdlog::warn("an earlier session was killed: {}", sentence);
  if (const auto refused = refused_system_states(); !refused.empty())
    spdlog::warn("nothing is put back: {}", refused);
  RunDescription description;
  description.source = watches ? options.interface : std::string();
  description.chains = plugin.chains;
  description.observers = watches ? options.observers : 0;
  description.plugin = plugin.name;
  description.connect = choice.arguments.connect;
  description.jobs = options.input;
  const std::uint32_t needs = watches ? needs_of(plugin.chains, describe_chains()) : 0;
  return run(measure_plan(options, choice, needs), options, description);
}

} // namespace orbweaver
