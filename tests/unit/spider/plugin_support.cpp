// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/spider/plugin_support.hpp"

#include "common/process/options/command_line.hpp"

#include <algorithm>

namespace orbweaver::test {

std::string joined(const Strings& words) {
  std::string text;
  for (const auto& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string about(const PluginEntry& entry) {
  const PluginDescription& plugin = entry.description;
  return plugin.name + " | " + std::string(to_string(plugin.model)) + "; " + joined(plugin.connect_kinds) + " | " +
         joined(plugin.chains);
}

PluginArguments arguments(const PluginEntry& entry, Strings words) {
  CommandLine app("", "");
  PluginArguments arguments;
  add_plugin_command(app, entry.description, arguments);
  words.insert(words.begin(), entry.description.name);
  app.parse(words);
  return arguments;
}

std::unique_ptr<Plugin> configured(const PluginEntry& entry, const Strings& words) {
  auto plugin = entry.make();
  plugin->configure(arguments(entry, words));
  return plugin;
}

Strings systems(const Plugin& plugin) {
  Strings all;
  for (const auto& configuration : plugin.configurations()) {
    Strings words;
    for (const auto& [name, value] : configuration.sysctls)
      words.push_back(name + "=" + value);
    all.push_back(joined(words));
  }
  return all;
}

Strings asked(Plugin& plugin) {
  const Job job;
  const auto before = plugin.pre_connect(job);
  Strings all;
  for (unsigned config = 0; config < plugin.connections(); ++config) {
    ConnectRequest request;
    request.kind = ConnectKind::http;
    request.destination_port = 8080;
    request.domain = "example.org";
    plugin.connect(request, job, before.get(), config);
    CHECK(request.kind == ConnectKind::http);
    CHECK(request.destination_port == 8080);
    CHECK(request.domain == "example.org");
    Strings words;
    if (request.fast_open)
      words.emplace_back("fast open");
    if (request.http2)
      words.emplace_back("http2");
    if (request.code_point != 0)
      words.push_back("code point " + std::to_string(request.code_point));
    all.push_back(joined(words));
  }
  return all;
}

} // namespace orbweaver::test
