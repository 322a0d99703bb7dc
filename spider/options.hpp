// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of orbweaver-spider: its own options, and each plugin as a subcommand with the plugin's. At
// start-up.
#pragma once

#include "common/process/options/command_line.hpp"
#include "common/process/options/defaults.hpp"
#include "common/process/stage.hpp"
#include "spider/engine/engine.hpp"
#include "spider/plugin.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

/// A plugin of the command line.
struct PluginCommand {
  PluginEntry entry;
  PluginArguments arguments; ///< its own options, where it was named
  CommandLine* command = nullptr;
};

/// What the user gave.
struct SpiderArguments {
  StageOptions stage;
  SpiderOptions spider;
  std::string interface, input = "-", out;
  std::string look_up_url; ///< empty: nothing is looked up
  std::vector<std::string> sources, public_addresses;
  std::optional<std::uint32_t> asn;
  double timeout_s = default_connection_timeout_s;
  bool csv = false;
  unsigned ring_mib = default_job_ring_mib;
  bool describe = false;
  bool filter = false;
  std::optional<std::uint16_t> filter_port;
  std::deque<PluginCommand> plugins; ///< all that there are: in their places, the app holds on to them

  /// The input as messages name it.
  [[nodiscard]] std::string input_name() const { return input == "-" ? "standard input" : input; }
  /// The plugin that was named, or nullptr.
  [[nodiscard]] const PluginCommand* chosen() const noexcept;
};

/// Adds all options, and a subcommand for each plugin. `arguments` must outlive the app.
void add_arguments(CommandLine& app, SpiderArguments& arguments, std::vector<PluginEntry> plugins);

} // namespace orbweaver
