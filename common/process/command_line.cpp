// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/command_line.hpp"

#include "common/process/stage.hpp"
#include <CLI/CLI.hpp>
#include <sstream>
#include <algorithm>
#include <cstdint>
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

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  try {
    with_our_errors([&] { app_.parse(argc, argv); });
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
