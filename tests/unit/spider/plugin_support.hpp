// SPDX-License-Identifier: GPL-3.0-or-later
// What a plugin says of itself, of the system and of its connections, as text that a test can compare.
#pragma once

#include "spider/plugins/library.hpp"

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <vector>

namespace orbweaver::test {

using Strings = std::vector<std::string>;

std::string joined(const Strings& words);

/// "ecn | synchronized; http https tcp dnstcp | basic tcp ecn": name, model, connect kinds, chains.
std::string about(const PluginEntry& entry);

/// What a user's words give the plugin. Throws std::runtime_error, which says what is wrong with them.
PluginArguments arguments(const PluginEntry& entry, Strings words = {});

/// The plugin as it is when its first job comes.
std::unique_ptr<Plugin> configured(const PluginEntry& entry, const Strings& words = {});

/// Each configuration of the system: "net.ipv4.tcp_ecn=2", one word a sysctl.
Strings systems(const Plugin& plugin);

/// What is asked of each connection of a job beyond a plain one: "", "fast open", "http2".
Strings asked(Plugin& plugin);

} // namespace orbweaver::test
