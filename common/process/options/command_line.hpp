// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of a program, in terms of CLI11, which stands behind it in one place: a translation unit that
// includes CLI11 takes ten seconds to compile, and one that includes this a fraction of one. At start-up, one thread.
#pragma once

#include "common/error.hpp"
#include "common/process/options/whole_number.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace orbweaver {

/// Arguments that the command line does not take.
class CommandLineError : public UsageError {
public:
  using UsageError::UsageError;
};

/// One option of a command line, which owns it. Each call returns the option, so that they can be chained.
class CommandOption {
public:
  explicit CommandOption(CLI::Option& option) : option_(option) {}

  /// What stands for the value in the help: "N"; empty: nothing.
  CommandOption* type_name(const std::string& name);
  /// Refuses what `check` refuses, and takes what it makes of the text.
  CommandOption* transform(ValueCheck check);
  /// Takes one of these values only; `shown`: the help tells them.
  CommandOption* one_of(const std::vector<std::string>& values, bool shown = true);
  /// The help tells the value that the variable has as the default.
  CommandOption* capture_default_str();
  CommandOption* default_str(const std::string& text);
  /// The number of values that it takes.
  CommandOption* expected(int count);
  /// Whether several values may follow one name; without, each value has the name before it.
  CommandOption* allow_extra_args(bool allowed);
  CommandOption* needs(CommandOption* other);
  CommandOption* excludes(CommandOption* other);
  CommandOption* required();
  /// The environment variable that gives the value where the command line does not.
  CommandOption* envname(const std::string& name);
  /// The heading it stands under in the help; empty: nowhere.
  CommandOption* group(const std::string& heading);

private:
  CLI::Option& option_;
};

/// A command line: of a program, or of one of its subcommands. Variables that options fill outlive it.
class CommandLine {
public:
  CommandLine(const std::string& description, const std::string& name);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  /// An option or, without dashes, an argument that fills `value`: an integer, a double, a string, an optional
  /// number, or a vector of strings or std::uint64_t. command_line.cpp has the list.
  template <typename Value>
  CommandOption* add_option(const std::string& name, Value& value, const std::string& help = {});
  CommandOption* add_flag(const std::string& name, bool& value, const std::string& help);
  /// Calls `take` with the value, once all of the line is read.
  CommandOption* add_option_function(const std::string& name, const std::function<void(const std::string&)>& take,
                                     const std::string& help);
  /// The same with all values of an option that may be given several times.
  CommandOption* add_list_function(const std::string& name,
                                   const std::function<void(const std::vector<std::string>&)>& take,
                                   const std::string& help);
  CommandOption* add_flag_callback(const std::string& name, const std::function<void()>& call, const std::string& help);
  CommandOption* set_version_flag(const std::string& name, const std::string& version);

  /// The heading of options that are added from here on.
  void option_heading(const std::string& heading);

  CommandLine& add_subcommand(const std::string& name, const std::string& description);
  /// At most one subcommand is given; the help calls it by that word.
  void allow_one_subcommand(const std::string& word = "SUBCOMMAND");
  [[nodiscard]] const std::vector<std::unique_ptr<CommandLine>>& subcommands() const noexcept { return subcommands_; }
  /// The heading that this subcommand stands under in the help.
  void group(const std::string& heading);
  /// Options of the program may stand behind this subcommand.
  void fallthrough();
  void footer(const std::string& text);
  /// Adds --config FILE to this subcommand: a TOML file with the long names of its options, with its positionals by
  /// their names in small letters, and a section for each of its own subcommands, which `choice` = "NAME" gives. What
  /// stands on the command line goes before. Errors name the file, the line and the key.
  void add_config_option(const std::string& choice = {});
  /// Calls back when this subcommand's name was read.
  void on_name(const std::function<void()>& call);
  /// Calls back when this subcommand was read.
  void callback(const std::function<void()>& call);

  /// Reads the arguments of main(). Where the help or the version was asked for, prints it and returns the exit status.
  /// Throws CommandLineError, which says what is wrong, what callbacks throw, and Error where that cannot be printed.
  std::optional<int> parse(int argc, const char* const* argv);
  /// Reads words, or one line of them, without the program's name. Throws as well.
  void parse(std::vector<std::string> words);
  void parse(const std::string& line);

  /// Whether this subcommand was given.
  [[nodiscard]] bool parsed() const;
  [[nodiscard]] const std::string& name() const;
  /// `program`: what stands before a subcommand's name in its usage.
  [[nodiscard]] std::string help(const std::string& program = {}) const;

  /// CLI11's own, for who includes it.
  [[nodiscard]] const CLI::App& cli11() const noexcept { return app_; }

private:
  explicit CommandLine(CLI::App& app);
  /// Reads the file that the arguments name, and returns words that it adds to them.
  std::vector<std::string> read_config(const std::vector<std::string>& words);
  CommandOption* keep(CLI::Option* option);

  std::unique_ptr<CLI::App> owned_; ///< of the program's own line; those of subcommands belong to CLI11
  CLI::App& app_;
  std::vector<std::unique_ptr<CommandOption>> options_;
  std::vector<std::unique_ptr<CommandLine>> subcommands_;
  bool has_config_ = false;
  std::string config_choice_;                ///< the key that names a subcommand
  std::string config_file_;                  ///< as given
  std::shared_ptr<class ConfigFile> config_; ///< of the program's own line, once it is read
};

} // namespace orbweaver
