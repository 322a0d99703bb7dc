// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/plugin_set.hpp"

#include "common/printable.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/process/shared_object.hpp"
#include "spider/plugins/library.hpp"

#include <algorithm>
#include <cctype>
#include <span>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

bool name_fits(const std::string& name, bool with_underscores) {
  return !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) != 0 &&
         std::all_of(name.begin(), name.end(),
                     [&](unsigned char c) { return std::isalnum(c) || c == '-' || (with_underscores && c == '_'); });
}

std::string check_option(const PluginOption& option) {
  if (!name_fits(option.name, false))
    return "the name of its option '" + option.name + "' is not letters, digits and dashes";
  const auto name = "option --" + option.name;
  if (option.name == "connect" || option.name == "help" || option.name.size() < 2)
    return "its " + name + " is one that every plugin has, or a single letter";
  if (option.minimum.has_value() != option.maximum.has_value())
    return "its " + name + " has one bound and not the other";
  if (option.minimum && option.minimum > option.maximum)
    return "its " + name + " has bounds that no number is within";
  if (option.minimum && !option.default_value.empty()) {
    std::string value = option.default_value;
    if (const auto why = signed_whole_number(*option.minimum, *option.maximum)(value); !why.empty())
      return "the default of its " + name + ", " + option.default_value + ", is not within its bounds";
  }
  return {};
}

} // namespace

std::string check_plugin(const PluginDescription& plugin) {
  if (!name_fits(plugin.name, true))
    return "a name is letters, digits, dashes and underscores";
  for (const auto& kind : plugin.connect_kinds)
    if (!connect_kind(kind))
      return "there is no kind of connection '" + kind + "'";
  if (plugin.model != Model::forge && std::ranges::count(plugin.connect_kinds, "tcpsyn") > 0)
    return "the kind of connection tcpsyn is of the model forge alone";
  for (const auto& option : plugin.options) {
    if (const auto why = check_option(option); !why.empty())
      return why;
    if (std::ranges::count(plugin.options, option.name, &PluginOption::name) > 1)
      return "it has two options --" + option.name;
  }
  return {};
}

std::string why_not_runnable(const PluginDescription& description, const Plugin& plugin, std::size_t configurations) {
  const unsigned connections = plugin.connections();
  if ((connections == 0) != description.connect_kinds.empty())
    return description.connect_kinds.empty()
               ? "it has no kind of connection, and makes " + std::to_string(connections) + " for each job"
               : "it makes no connections (connections() is 0)";
  if (description.model == Model::synchronized && configurations != connections)
    return "it makes " + std::to_string(connections) + " connections for each job, and has " +
           std::to_string(configurations) + " configurations: there is one for each";
  return {};
}

std::vector<PluginEntry> find_plugins() {
  std::vector<PluginEntry> all{
#define ORBWEAVER_ENTRY(name) plugins::name(),
      ORBWEAVER_LIBRARY_PLUGINS(ORBWEAVER_ENTRY)
#undef ORBWEAVER_ENTRY
  };
  for (const FoundTable& found : find_shared_tables("orbweaver_plugins", plugin_interface_version)) {
    const std::span entries(static_cast<const PluginEntry*>(found.table->entries), found.table->count);
    for (const PluginEntry& entry : entries) {
      const std::string& name = entry.description.name;
      const bool taken = std::any_of(all.begin(), all.end(), [&](const auto& p) { return p.description.name == name; });
      const auto why = taken ? "there is one of that name" : check_plugin(entry.description);
      if (!why.empty() || !entry.make) {
        spdlog::warn("{}: plugin '{}' is left out: {}", found.origin, printable(name),
                     why.empty() ? "it says not how it is made" : printable(why));
        continue;
      }
      all.push_back(entry);
      all.back().description.origin = found.origin;
    }
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.description.name < b.description.name; });
  return all;
}

StreamDescription job_stream_of(const PluginDescription& description, const PluginArguments& arguments,
                                const Plugin& plugin) {
  auto stream = stream_of(StreamKind::jobs);
  stream.plugin.name = description.name;
  stream.plugin.version = description.version;
  stream.plugin.connect = arguments.connect;
  stream.plugin.connections = plugin.connections();
  stream.plugin.options.assign(arguments.values.begin(), arguments.values.end());
  return stream;
}

} // namespace orbweaver
