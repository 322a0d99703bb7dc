// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/options/measure_options.hpp"

#include "common/process/options/whole_number.hpp"
#include "tools/run/options/option_groups.hpp"

#include <cstddef>
#include <cstdint>
#include <spdlog/fmt/fmt.h>
#include <string>
#include <vector>

namespace orbweaver {

namespace {

constexpr double max_timeout_s = 3600;

void add_job_options(CommandLine& app, MeasureOptions& options) {
  auto& arguments = options.spider_arguments;
  app.add_option_function(
         "--input", [&options](const std::string& name) { options.input = name == "/dev/stdin" ? "-" : name; },
         "Jobs, one JSON object a line (standard input)")
      ->type_name("FILE");
  app.add_flag_callback(
      "--csv-input,--csv", [&arguments] { arguments.emplace_back("--csv-input"); },
      "Jobs are lines of rank,domain or dip,dp,domain or dip,dp,domain,rank");
  hand_on(app, arguments, "-w,--workers", "N", "Connections under way at once (100)")
      ->transform(whole_number(1, max_workers));
  hand_on(app, arguments, "--rate", "N", "Connections started in a second, at most (no limit)")
      ->transform(number(0.001, 1e6));
  app.add_option("--timeout", options.timeout_s, "Seconds that a connection may take")
      ->type_name("S")
      ->transform(number(0.1, max_timeout_s))
      ->capture_default_str();
}

/// Hands each of several values on to the spider.
auto each_for_spider(MeasureOptions& options, const std::string& name) {
  return [&options, name](const std::vector<std::string>& values) {
    for (const auto& value : values)
      options.spider_arguments.push_back(name + "=" + value);
  };
}

/// What the results say of this machine.
void add_path_options(CommandLine& app, MeasureOptions& options) {
  app.add_list_function("--public-address", each_for_spider(options, "--public-address"),
                        "This machine's address as others see it; one of each family")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  hand_on(app, options.spider_arguments, "--asn", "N", "Autonomous system of this machine")
      ->transform(whole_number(0, UINT32_MAX));
  hand_on(app, options.spider_arguments, "--look-up-public", "URL",
          "Server to ask for what of these two is not given: answers with an address or JSON (none)");
}

void add_watch_options(CommandLine& app, MeasureOptions& options) {
  app.add_option("-i,--interface", options.interface, "Where connections go out and packets are watched")
      ->type_name("IFACE");
  app.add_list_function("--source", each_for_spider(options, "--source"),
                        "This machine's address to measure from; one of each family (the kernel's choice for each "
                        "target)")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  add_filter_option(app, options);
  add_clock_option(app, options);
  add_link_options(app, options);
  add_flow_options(app, options);
  app.add_option("--settle", options.settle_s,
                 "Seconds to watch on after the last connection (1; a plugin that forges: at least --timeout)")
      ->type_name("S")
      ->transform(number(0, max_timeout_s));
  hand_on(app, options.merger_arguments, "--missed-after", "S",
          fmt::format("A connection whose flow has not come after so long counts as not observed ({})",
                      default_missed_after_s))
      ->transform(whole_number(1, 86'400));
}

} // namespace

CommandLine& add_measure_command(CommandLine& front, MeasureOptions& options) {
  auto& app = front.add_subcommand("measure", "Measure paths actively: jobs in, path conditions out");
  app.allow_one_subcommand("PLUGIN");
  app.footer("orbweaver measure PLUGIN --help shows a plugin's own options.\n"
             "\n"
             "Examples:\n"
             "  orbweaver measure -i eth0 ecn < jobs.ndjson > results.ndjson\n"
             "  orbweaver measure -i eth0 --csv-input --input top.csv -w 500 --output-flows tcpopt --connect http\n"
             "\n"
             "Results go to standard output, everything else to standard error. Ctrl-C ends in order: the jobs under\n"
             "way finish; a second one ends at once. Exit status: 0 done, 1 failed, 2 bad usage.");
  app.add_config_option("plugin");
  add_group(app, "Jobs", [&] { add_job_options(app, options); });
  add_group(app, "Packets and flows", [&] { add_watch_options(app, options); });
  add_group(app, "Output", [&] {
    add_output_options(app, options, "results");
    app.add_flag_callback(
        "--output-flows", [&options] { options.merger_arguments.emplace_back("--output-flows"); },
        "With each result the flows that it rests on");
    add_path_options(app, options);
  });
  add_group(app, "Processes", [&] {
    add_machine_options(app, options, "capture, observers, merger, spider");
    app.add_option("--job-ring-mib", options.job_ring_mib, "Size of the ring from the spider")
        ->type_name("MIB")
        ->transform(whole_number(min_ring_mib, max_ring_mib))
        ->capture_default_str();
  });
  for (std::size_t i = 0; i < options.plugins.size(); ++i) {
    auto& choice = options.plugins[i];
    auto& plugin = add_plugin_command(app, choice.plugin, choice.arguments);
    plugin.group("Plugins");
    plugin.footer("The options of orbweaver measure may stand behind the plugin's name too.");
    plugin.on_name([&options, i] { options.chosen = i; });
  }
  return app;
}

} // namespace orbweaver
