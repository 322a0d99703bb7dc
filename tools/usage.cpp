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

std::string with_nearest(const std::string& what, const std::string& name, const std::vector<std::string>& candidates) {
  const auto nearest = nearest_name(name, candidates);
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
