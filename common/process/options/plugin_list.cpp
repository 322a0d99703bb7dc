// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/options/plugin_list.hpp"

#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/process/described_by.hpp"
#include "common/process/options/command_line.hpp"
#include "common/process/options/whole_number.hpp"

#include <algorithm>
#include <array>
#include <simdjson.h>

namespace orbweaver {

namespace {

constexpr std::array models{Model::synchronized, Model::desynchronized, Model::single, Model::forge};

void describe(json::Object object, const PluginOption& option) {
  object.add("name", option.name)
      .add("help", option.help)
      .add("type_name", option.type_name)
      .add("default_value", option.default_value)
      .add("several", option.several)
      .add("minimum", option.minimum)
      .add("maximum", option.maximum)
      .add("distinct", option.distinct);
}

void describe(json::Object object, const PluginDescription& plugin) {
  object.add("name", plugin.name)
      .add("summary", plugin.summary)
      .add("version", plugin.version)
      .add("model", to_string(plugin.model));
  object.array("chains").add_all(plugin.chains);
  object.array("connect_kinds").add_all(plugin.connect_kinds);
  {
    json::Array options = object.array("options");
    for (const auto& option : plugin.options)
      describe(options.object(), option);
  }
  object.add("changes_system", plugin.changes_system)
      .add("server_mode", plugin.server_mode)
      .add("origin", plugin.origin);
}

using Element = simdjson::dom::element;

std::vector<std::string> texts_of(const Element& object, std::string_view key) {
  std::vector<std::string> texts;
  for (const Element text : object[key].get_array())
    texts.emplace_back(text.get_string().value());
  return texts;
}

std::optional<std::int64_t> number_of(const Element& object, std::string_view key) {
  const Element number = object[key];
  return number.is_null() ? std::nullopt : std::optional(number.get_int64().value());
}

Model model_of(const Element& plugin) {
  const std::string name = text_of(plugin, "model");
  for (const Model model : models)
    if (to_string(model) == name)
      return model;
  throw Error("no model '" + name + "'");
}

PluginDescription description_of(const Element& plugin) {
  PluginDescription description;
  description.name = text_of(plugin, "name");
  description.summary = text_of(plugin, "summary");
  description.version = text_of(plugin, "version");
  description.model = model_of(plugin);
  description.chains = texts_of(plugin, "chains");
  description.connect_kinds = texts_of(plugin, "connect_kinds");
  for (const Element option : plugin["options"].get_array())
    description.options.push_back({text_of(option, "name"), text_of(option, "help"), text_of(option, "type_name"),
                                   text_of(option, "default_value"), option["several"].get_bool().value(),
                                   number_of(option, "minimum"), number_of(option, "maximum"),
                                   option["distinct"].get_bool().value()});
  description.changes_system = plugin["changes_system"].get_bool().value();
  description.server_mode = plugin["server_mode"].get_bool().value();
  description.origin = text_of(plugin, "origin");
  return description;
}

using Texts = std::vector<std::string>;

Texts each_once(const Texts& given) {
  Texts once;
  for (const auto& text : given)
    if (std::ranges::find(once, text) == once.end())
      once.push_back(text);
  return once;
}

void add_option(CommandLine& command, const PluginOption& option, PluginArguments& arguments) {
  auto& values = arguments.values;
  if (option.type_name.empty()) {
    command.add_flag_callback(
        "--" + option.name, [&values, name = option.name] { values[name] = {"true"}; }, option.help);
    return;
  }
  if (!option.default_value.empty())
    values[option.name] = {option.default_value};
  const auto take = [&values, name = option.name, distinct = option.distinct](const Texts& given) {
    values[name] = distinct ? each_once(given) : given;
  };
  CommandOption* const added = command.add_list_function("--" + option.name, take, option.help)
                                   ->type_name(option.type_name)
                                   ->default_str(option.default_value);
  if (!option.several)
    added->expected(1);
  if (option.minimum && option.maximum) // in plain decimal: a plugin passes it on, to JSON for one, which has no 010
    added->transform(signed_whole_number(*option.minimum, *option.maximum));
}

} // namespace

std::string_view to_string(Model model) noexcept {
  switch (model) {
  case Model::synchronized:
    return "synchronized";
  case Model::desynchronized:
    return "desynchronized";
  case Model::single:
    return "single";
  case Model::forge:
    return "forge";
  }
  return {};
}

std::vector<PluginDescription> describe_plugins() {
  return described_by("orbweaver-spider", "plugins", description_of);
}

std::string plugins_json(const std::vector<PluginDescription>& plugins) {
  std::string text;
  {
    json::Array list(text);
    for (const auto& plugin : plugins)
      describe(list.object(), plugin);
  }
  return text += '\n';
}

CommandLine& add_plugin_command(CommandLine& parent, const PluginDescription& plugin, PluginArguments& arguments) {
  const auto origin = plugin.origin.empty() ? "" : " (" + plugin.origin + ")";
  CommandLine& command = parent.add_subcommand(plugin.name, plugin.summary + origin);
  command.fallthrough(); // options of the program may stand behind the plugin
  if (!plugin.connect_kinds.empty()) {
    arguments.connect = plugin.connect_kinds.front();
    command.add_option("--connect", arguments.connect, "Kind of connection")
        ->type_name("KIND")
        ->one_of(plugin.connect_kinds)
        ->capture_default_str();
  }
  for (const auto& option : plugin.options)
    add_option(command, option, arguments);
  return command;
}

std::vector<std::string> plugin_command_line(const PluginDescription& plugin, const PluginArguments& arguments) {
  std::vector<std::string> line;
  if (!arguments.connect.empty())
    line.push_back("--connect=" + arguments.connect);
  for (const auto& option : plugin.options) {
    const auto given = arguments.values.find(option.name);
    if (given == arguments.values.end())
      continue;
    if (option.type_name.empty())
      line.push_back("--" + option.name);
    else
      for (const auto& value : given->second)
        line.push_back("--" + option.name + "=" + value);
  }
  return line;
}

} // namespace orbweaver
