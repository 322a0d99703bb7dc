// SPDX-License-Identifier: GPL-3.0-or-later
// Plugins as JSON and as command lines.
#include "common/process/options/command_line.hpp"
#include "common/process/options/plugin_list.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

PluginDescription plugin_of_all() {
  PluginDescription plugin;
  plugin.name = "all";
  plugin.summary = "says \"all\"\n";
  plugin.version = "1.2";
  plugin.model = Model::forge;
  plugin.chains = {"basic", "tcp"};
  plugin.connect_kinds = {"tcp", "http"};
  PluginOption name, loud;
  name.name = "name";
  name.type_name = "TEXT";
  loud.name = "loud";
  loud.type_name.clear();
  plugin.options = {
      {.name = "point", .help = "a point", .default_value = "48", .several = true, .minimum = 0, .maximum = 63},
      name,
      loud};
  plugin.changes_system = true;
  return plugin;
}

/// What a command line gives; throws CommandLineError.
PluginArguments parse(std::vector<std::string> words, int* outer = nullptr) {
  CommandLine app("", "");
  int ignored = 0;
  app.add_option("--outer", outer ? *outer : ignored);
  PluginArguments arguments;
  add_plugin_command(app, plugin_of_all(), arguments);
  words.insert(words.begin(), "all");
  app.parse(words);
  return arguments;
}

} // namespace

TEST_CASE("the list of plugins is JSON with everything that is said of them") {
  simdjson::dom::parser parser;
  PluginDescription other;
  other.name = "other";
  const std::string text = plugins_json({plugin_of_all(), other});
  const simdjson::dom::element list = parser.parse(text);
  CHECK(list.at_pointer("/0/summary").get_string().value() == "says \"all\"\n");
  CHECK(list.at_pointer("/0/model").get_string().value() == "forge");
  CHECK(list.at_pointer("/0/chains/1").get_string().value() == "tcp");
  CHECK(list.at_pointer("/0/options/0/maximum").get_int64().value() == 63);
  CHECK(list.at_pointer("/0/options/1/maximum").is_null());
  CHECK(list.at_pointer("/0/changes_system").get_bool().value());
  CHECK(list.at_pointer("/1/name").get_string().value() == "other");
  CHECK(list.at_pointer("/1/connect_kinds").get_array().size() == 0);
  CHECK(parser.parse(plugins_json({})).get_array().size() == 0);
}

TEST_CASE("where a user gives nothing, a plugin gets its defaults") {
  const auto arguments = parse({});
  CHECK(arguments.connect == "tcp");
  CHECK(arguments.values.at("point") == std::vector<std::string>{"48"});
  CHECK(arguments.values.count("loud") == 0);
}

TEST_CASE(
    "options of a plugin are taken, several times where it says so, and stand before or after those of the program") {
  int outer = 0;
  const auto arguments =
      parse({"--point", "1", "--connect=http", "--point=63", "--outer", "7", "--loud", "--name", "x"}, &outer);
  CHECK(arguments.connect == "http");
  CHECK(arguments.values.at("point") == std::vector<std::string>{"1", "63"});
  CHECK(arguments.values.at("name") == std::vector<std::string>{"x"});
  CHECK(arguments.values.count("loud") == 1);
  CHECK(outer == 7);
}

TEST_CASE("several values may stand behind one name, each once where the option says so") {
  CHECK(parse({"--point", "1", "63", "1", "--loud"}).values.at("point") == std::vector<std::string>{"1", "63", "1"});
  auto plugin = plugin_of_all();
  plugin.options.front().distinct = true;
  CommandLine app("", "");
  PluginArguments arguments;
  add_plugin_command(app, plugin, arguments);
  app.parse({"all", "--point", "1", "63", "01", "--point=63", "--connect", "http"});
  CHECK(arguments.values.at("point") == std::vector<std::string>{"1", "63"});
}

TEST_CASE("what a plugin does not take is refused") {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--point", "64"},
                                                {"--point", "-1"},
                                                {"--point", "1.5"},
                                                {"--point", "x"},
                                                {"--point", "0x10"},
                                                {"--point", "+5"},
                                                {"--point", " 5"},
                                                {"--point"},
                                                {"--connect", "dnstcp"},
                                                {"--name", "x", "--name", "y"},
                                                {"--name", "x", "y"},
                                                {"--unknown"},
                                                {"--point", "1", "64"}}) {
    INFO(words.front() << " " << words.back());
    CHECK_THROWS_AS(parse(words), CommandLineError);
  }
}

TEST_CASE("arguments become a command line that is read as the same arguments") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{}, {"--point", "1", "--point", "2", "--connect", "http", "--loud", "--name", "a b"}}) {
    const auto arguments = parse(words);
    const auto again = parse(plugin_command_line(plugin_of_all(), arguments));
    CHECK(again.connect == arguments.connect);
    CHECK(again.values == arguments.values);
  }
}
