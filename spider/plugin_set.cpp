// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/plugin_set.hpp"

#include "common/process/shared_object.hpp"
#include "spider/plugins/library.hpp"

#include <algorithm>
#include <cctype>
#include <span>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

bool name_fits(const std::string& name) {
  return !name.empty() && std::isalpha(static_cast<unsigned char>(name.front())) != 0 &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

} // namespace

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
      if (taken || !name_fits(name)) {
        spdlog::warn("{}: plugin '{}' is left out: {}", found.origin, name,
                     taken ? "there is one of that name" : "a name is letters, digits, dashes and underscores");
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
