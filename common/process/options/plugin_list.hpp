// SPDX-License-Identifier: GPL-3.0-or-later
// What the spider program says of its plugins, for those that do not link them: the front command builds its command
// line from it. The spider itself fills these structs for each plugin that it has.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class CommandLine;

enum class Model { synchronized, desynchronized, single, forge };

[[nodiscard]] std::string_view to_string(Model model) noexcept;

/// Connections under way at once, at most.
inline constexpr std::uint32_t max_workers = 100'000;

/// An option of a plugin's own: `--codepoint`, a whole number from 0 to 63, several times, default 48.
struct PluginOption {
  std::string name; ///< without the dashes
  std::string help;
  std::string type_name = "N"; ///< shown in the help; empty: a flag without a value
  std::string default_value;
  bool several = false;                ///< also behind one name: `--codepoint 8 46`
  std::optional<std::int64_t> minimum; ///< with maximum: a whole number within these bounds
  std::optional<std::int64_t> maximum;
  bool distinct = false; ///< with several: a value that is given again counts once
};

struct PluginDescription {
  std::string name;
  std::string summary; ///< a few words
  std::string version;
  Model model = Model::single;
  std::vector<std::string> chains;        ///< that its conditions need; none: no packet is watched
  std::vector<std::string> connect_kinds; ///< the first is the default; none: it makes no connections
  std::vector<PluginOption> options;
  bool changes_system = false; ///< it changes sysctls or firewall rules, and needs the right to
  bool server_mode = false;    ///< the targets connect to us: flows join by their source
  std::string origin;          ///< the shared object that it came from; empty: built in
};

/// What a user gave for a plugin.
struct PluginArguments {
  std::string connect; ///< one of the connect kinds; the first of them where the user gave none
  std::map<std::string, std::vector<std::string>> values; ///< by option name; a default where the user gave none
};

/// Asks `orbweaver-spider --describe-plugins` (a JSON array, an object a plugin). Throws Error.
[[nodiscard]] std::vector<PluginDescription> describe_plugins();

/// The same array, as the spider prints it.
[[nodiscard]] std::string plugins_json(const std::vector<PluginDescription>& plugins);

/// Adds a plugin as a subcommand with `--connect` and its options, checked as the description says; what the user gives
/// comes to `arguments`, which must outlive the app. Used by the spider and by the front command, so that both take
/// the same command line.
CommandLine& add_plugin_command(CommandLine& parent, const PluginDescription& plugin, PluginArguments& arguments);

/// The command line that add_plugin_command() reads as these arguments: {"--connect=tcp", "--codepoint=48"}.
[[nodiscard]] std::vector<std::string> plugin_command_line(const PluginDescription& plugin,
                                                           const PluginArguments& arguments);

} // namespace orbweaver
