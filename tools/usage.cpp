// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/usage.hpp"

#include "common/error.hpp"
#include "common/process/options/chain_list.hpp"

#include <CLI/CLI.hpp>
#include <string_view>
#include <vector>

namespace orbweaver {

namespace {

std::vector<std::string> subcommand_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames())
      names.push_back("--" + name);
  return names;
}

/// Options and commands of PATHspider, by any of its versions, that have no counterpart of their name.
std::string_view of_pathspider(std::string_view name) noexcept {
  struct Known {
    std::string_view name, ours;
  };
  constexpr Known known[] = {
      {"--trace", "paths are not traced: run a traceroute beside it"},
      {"--tor-path", "nothing is measured by way of Tor"},
      {"test", "its own tests come with its source: tools/check"},
      {"analyse", "results are NDJSON, a line each: jq, for instance, counts their conditions"},
      {"analyze", "results are NDJSON, a line each: jq, for instance, counts their conditions"},
      {"report", "results are NDJSON, a line each: jq, for instance, counts their conditions"},
      {"trace", "paths are not traced: run a traceroute beside it"},
      {"traceroute", "paths are not traced: run a traceroute beside it"},
      {"wizard", "orbweaver measure --help lists the plugins"},
  };
  for (const auto& one : known)
    if (one.name == name)
      return one.ours;
  return {};
}

/// What begins with that name, as far as one can mean it by it: argparse takes such short forms.
std::string longer_name(const std::string& name, const std::vector<std::string>& candidates) {
  std::string longer;
  for (const auto& candidate : candidates) {
    if (!candidate.starts_with(name) || candidate == longer)
      continue;
    if (!longer.empty())
      return {};
    longer = candidate;
  }
  return longer;
}

std::string with_nearest(const std::string& what, const std::string& name, const std::vector<std::string>& candidates) {
  if (const auto ours = of_pathspider(name); !ours.empty())
    return "no " + what + " '" + name + "' as PATHspider has it: " + std::string(ours);
  const auto longer = longer_name(name, candidates);
  const auto nearest = longer.empty() ? nearest_name(name, candidates) : longer;
  return "no " + what + " '" + name + "'" + (nearest.empty() ? "" : "; did you mean '" + nearest + "'?");
}

} // namespace

std::string usage_error(const CommandLine& line, const CommandLineError& error) {
  const CLI::App& front = line.cli11();
  const CLI::App* app = &front;
  auto program = front.get_name();
  auto options = option_names(front);
  for (auto commands = app->get_subcommands(); !commands.empty(); commands = app->get_subcommands()) {
    app = commands.front();
    program += " " + app->get_name();
    const auto more = option_names(*app);
    options.insert(options.end(), more.begin(), more.end());
  }
  const auto hint = " (see " + program + " --help)";
  const auto commands = subcommand_names(*app);
  for (const auto& argument : front.remaining(true)) {
    if (argument.starts_with("-"))
      return with_nearest("option", argument.substr(0, argument.find('=')), options) + hint;
    if (!commands.empty())
      return with_nearest(app == &front ? "command" : "plugin", argument, commands) + hint;
  }
  return error.what() + hint;
}

void refuse_empty_values(std::span<const char* const> arguments) {
  std::string_view before;
  for (const std::string_view argument : arguments) {
    const bool lacks_value = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    if (argument.empty() || lacks_value) {
      const std::string option(lacks_value ? argument.substr(0, argument.size() - 1) : before);
      throw UsageError(option.starts_with("-") ? option + " has an empty value: give it one, or leave the option out"
                                               : "there is an empty argument after '" + option + "'");
    }
    before = argument;
  }
}

} // namespace orbweaver
