// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/options/command_line.hpp"

#include "common/process/stage.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string_view>
#include <utility>

namespace orbweaver {

namespace {

/// Calls what CLI11 calls a subcommand by its name here.
class CommandFormatter final : public CLI::Formatter {
public:
  explicit CommandFormatter(std::string word) : word_(std::move(word)) {}

  std::string make_usage(const CLI::App* app, std::string name) const override {
    constexpr std::string_view subcommand = "[SUBCOMMAND]";
    auto usage = CLI::Formatter::make_usage(app, std::move(name));
    if (const auto at = usage.find(subcommand); at != usage.npos)
      usage.replace(at, subcommand.size(), word_);
    return usage;
  }

private:
  std::string word_;
};

/// nullptr where there is none of that name.
const CLI::App* subcommand_of(const CLI::App& app, const std::string& name) {
  for (const CLI::App* one : app.get_subcommands({}))
    if (one->get_name() == name)
      return one;
  return nullptr;
}

} // namespace

/// A TOML file with the options of a subcommand, as CLI11 reads it; knows the line of each key.
class ConfigFile final : public CLI::ConfigBase {
public:
  /// Reads the file. Throws CommandLineError for a key that the subcommand does not have.
  ConfigFile(std::string path, const CLI::App& command, const std::string& choice)
      : path_(std::move(path)), command_(command.get_name()) {
    std::ifstream file(path_);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf()))
      throw CommandLineError("--config " + path_ + ": cannot be read: " + errno_text());
    text_ = text.str();
    std::istringstream again(text_);
    for (CLI::ConfigItem& item : CLI::ConfigBase::from_config(again)) {
      if (item.name == "++" || item.name == "--") // a section begins or ends
        continue;
      if (item.parents.empty() && !choice.empty() && item.name == choice && item.inputs.size() == 1) {
        chosen_ = item.inputs.front();
        if (subcommand_of(command, chosen_) == nullptr)
          refuse(item.name, "there is no " + choice + " '" + chosen_ + "'");
        continue;
      }
      take(std::move(item), command);
    }
  }

  /// The subcommand that the file chooses; empty: none.
  [[nodiscard]] const std::string& chosen() const noexcept { return chosen_; }

  std::vector<CLI::ConfigItem> from_config(std::istream&) const override { return items_; }

  /// "FILE, line 3: " where the text speaks of an option that stands in the file.
  [[nodiscard]] std::string place_of(const std::string& text) const {
    for (const auto& item : items_)
      if (text.find("--" + item.name + ":") != text.npos || text.find("--" + item.name + " ") != text.npos)
        return path_ + ", line " + std::to_string(line_of(item.name)) + ": ";
    return {};
  }

private:
  void take(CLI::ConfigItem item, const CLI::App& command) {
    const CLI::App* app = &command;
    for (const auto& parent : item.parents)
      if (app = subcommand_of(*app, parent); app == nullptr)
        refuse(parent, "there is no section '" + parent + "' here");
    std::string positional = item.name;
    std::ranges::transform(positional, positional.begin(), [](unsigned char c) { return std::toupper(c); });
    if (app->get_option_no_throw("--" + item.name) == nullptr) {
      if (app->get_option_no_throw(positional) == nullptr)
        refuse(item.name, "there is no option '" + item.name + "' of " + app->get_name());
      item.name = positional;
    }
    if (item.name == "config" || item.name == "help" || item.name == "version")
      refuse(item.name, "'" + item.name + "' is for the command line only");
    item.parents.insert(item.parents.begin(), command_);
    items_.push_back(std::move(item));
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& why) const {
    throw CommandLineError(path_ + ", line " + std::to_string(line_of(key)) + ": " + why);
  }

  /// The line that begins with that key, or with that section.
  [[nodiscard]] std::size_t line_of(const std::string& key) const {
    std::istringstream lines(text_);
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      const auto begin = std::min(line.find_first_not_of(" \t[\"'"), line.size());
      const auto same = [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); };
      if (line.size() - begin >= key.size() &&
          std::equal(key.begin(), key.end(), line.begin() + static_cast<std::ptrdiff_t>(begin), same) &&
          line.find_first_of(" \t=]\"'.", begin + key.size()) == begin + key.size())
        return number;
      if (line.size() == begin + key.size() && line.ends_with(key))
        return number;
    }
    return number;
  }

  std::string path_;
  std::string command_;
  std::string text_;
  std::string chosen_;
  std::vector<CLI::ConfigItem> items_;
};

namespace {

/// The value of an option among words: "--name VALUE" or "--name=VALUE".
std::optional<std::string> value_of(const std::vector<std::string>& words, const std::string& name) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == name && i + 1 < words.size())
      return words[i + 1];
    if (words[i].starts_with(name + "="))
      return words[i].substr(name.size() + 1);
  }
  return std::nullopt;
}

/// Runs `parse` and says what it refuses as the project does.
template <typename Parse>
void with_our_errors(Parse&& parse) {
  try {
    parse();
  } catch (const CLI::Success&) {
    throw; // --help, --version
  } catch (const CLI::ParseError& error) {
    throw CommandLineError(error.what());
  }
}

} // namespace

CommandOption* CommandOption::type_name(const std::string& name) {
  option_.type_name(name);
  return this;
}

CommandOption* CommandOption::transform(ValueCheck check) {
  option_.transform(CLI::Validator(std::move(check), ""));
  return this;
}

CommandOption* CommandOption::one_of(const std::vector<std::string>& values, bool shown) {
  const CLI::IsMember check(values);
  option_.check(shown ? CLI::Validator(check) : CLI::Validator(check).description(""));
  return this;
}

CommandOption* CommandOption::capture_default_str() {
  option_.capture_default_str();
  return this;
}

CommandOption* CommandOption::default_str(const std::string& text) {
  option_.default_str(text);
  return this;
}

CommandOption* CommandOption::expected(int count) {
  option_.expected(count);
  return this;
}

CommandOption* CommandOption::allow_extra_args(bool allowed) {
  option_.allow_extra_args(allowed);
  return this;
}

CommandOption* CommandOption::needs(CommandOption* other) {
  option_.needs(&other->option_);
  return this;
}

CommandOption* CommandOption::excludes(CommandOption* other) {
  option_.excludes(&other->option_);
  return this;
}

CommandOption* CommandOption::required() {
  option_.required();
  return this;
}

CommandOption* CommandOption::envname(const std::string& name) {
  option_.envname(name);
  return this;
}

CommandOption* CommandOption::group(const std::string& heading) {
  option_.group(heading);
  return this;
}

CommandLine::CommandLine(const std::string& description, const std::string& name)
    : owned_(std::make_unique<CLI::App>(description, name)), app_(*owned_) {}

CommandLine::CommandLine(CLI::App& app) : app_(app) {}

CommandLine::~CommandLine() = default;

CommandOption* CommandLine::keep(CLI::Option* option) {
  return options_.emplace_back(std::make_unique<CommandOption>(*option)).get();
}

template <typename Value>
CommandOption* CommandLine::add_option(const std::string& name, Value& value, const std::string& help) {
  return keep(app_.add_option(name, value, help));
}

template CommandOption* CommandLine::add_option(const std::string&, int&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::uint16_t&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::uint32_t&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::uint64_t&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, double&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::optional<std::uint16_t>&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::optional<std::uint32_t>&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::optional<double>&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::string&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template CommandOption* CommandLine::add_option(const std::string&, std::vector<std::uint64_t>&, const std::string&);

CommandOption* CommandLine::add_flag(const std::string& name, bool& value, const std::string& help) {
  return keep(app_.add_flag(name, value, help));
}

CommandOption* CommandLine::add_option_function(const std::string& name,
                                                const std::function<void(const std::string&)>& take,
                                                const std::string& help) {
  return keep(app_.add_option_function<std::string>(name, take, help));
}

CommandOption* CommandLine::add_list_function(const std::string& name,
                                              const std::function<void(const std::vector<std::string>&)>& take,
                                              const std::string& help) {
  return keep(app_.add_option_function<std::vector<std::string>>(name, take, help));
}

CommandOption* CommandLine::add_flag_callback(const std::string& name, const std::function<void()>& call,
                                              const std::string& help) {
  return keep(app_.add_flag_callback(name, call, help));
}

CommandOption* CommandLine::set_version_flag(const std::string& name, const std::string& version) {
  return keep(app_.set_version_flag(name, version));
}

void CommandLine::option_heading(const std::string& heading) {
  app_.option_defaults()->group(heading);
}

CommandLine& CommandLine::add_subcommand(const std::string& name, const std::string& description) {
  return *subcommands_.emplace_back(new CommandLine(*app_.add_subcommand(name, description)));
}

void CommandLine::allow_one_subcommand(const std::string& word) {
  app_.require_subcommand(0, 1);
  if (word != "SUBCOMMAND")
    app_.formatter(std::make_shared<CommandFormatter>(word));
}

void CommandLine::group(const std::string& heading) {
  app_.group(heading);
}

void CommandLine::fallthrough() {
  app_.fallthrough();
}

void CommandLine::footer(const std::string& text) {
  app_.footer(text);
}

void CommandLine::on_name(const std::function<void()>& call) {
  app_.preparse_callback([call](std::size_t) { call(); });
}

void CommandLine::callback(const std::function<void()>& call) {
  app_.callback(call);
}

void CommandLine::add_config_option(const std::string& choice) {
  has_config_ = true;
  config_choice_ = choice;
  add_option("--config", config_file_, "Options from a TOML file; what stands on the command line goes before")
      ->type_name("FILE");
}

/// CLI11 reads a file for the program's line alone: of a subcommand's file it is told there, under the command's name.
std::vector<std::string> CommandLine::read_config(const std::vector<std::string>& words) {
  const auto is_word = [](const std::string& word) { return !word.starts_with('-'); };
  const auto name = std::ranges::find_if(words, is_word);
  for (const auto& command : subcommands_) {
    if (name == words.end() || *name != command->name() || !command->has_config_)
      continue;
    const auto path = value_of(words, "--config");
    if (!path)
      return {};
    config_ = std::make_shared<ConfigFile>(*path, command->app_, command->config_choice_);
    app_.set_config("--config-of-" + command->name(), *path, "", true)->group("");
    app_.config_formatter(config_);
    const auto is_choice = [&](const std::string& word) { return subcommand_of(command->app_, word) != nullptr; };
    if (config_->chosen().empty() || std::ranges::any_of(words, is_choice))
      return {};
    return {config_->chosen()};
  }
  return {};
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const auto added = read_config(words);
  words.insert(words.end(), added.begin(), added.end());
  std::ranges::reverse(words); // as CLI11 wants them
  try {
    with_our_errors([&] { app_.parse(words); });
  } catch (const CommandLineError& error) {
    throw CommandLineError((config_ ? config_->place_of(error.what()) : "") + error.what());
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    const int status = app_.exit(success, text, text);
    print(text.str());
    return status;
  }
  return std::nullopt;
}

void CommandLine::parse(std::vector<std::string> words) {
  std::ranges::reverse(words); // as CLI11 wants them
  with_our_errors([&] { app_.parse(words); });
}

void CommandLine::parse(const std::string& line) {
  with_our_errors([&] { app_.parse(line); });
}

bool CommandLine::parsed() const {
  return app_.parsed();
}

const std::string& CommandLine::name() const {
  return app_.get_name();
}

std::string CommandLine::help(const std::string& program) const {
  return app_.help(program);
}

} // namespace orbweaver
