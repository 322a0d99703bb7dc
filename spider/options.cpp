// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/options.hpp"

#include "common/process/options/whole_number.hpp"

#include <algorithm>

namespace orbweaver {

const PluginCommand* SpiderArguments::chosen() const noexcept {
  const auto found = std::ranges::find_if(plugins, [](const auto& plugin) { return plugin.command->parsed(); });
  return found == plugins.end() ? nullptr : &*found;
}

void add_arguments(CommandLine& app, SpiderArguments& arguments, std::vector<PluginEntry> plugins) {
  app.add_option("-i,--interface", arguments.interface, "Interface to measure from")->type_name("IFACE");
  app.add_option("--input", arguments.input, "Jobs: a file, or - for standard input")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--csv-input", arguments.csv, "Jobs are CSV: rank,domain or dip,dp,domain or dip,dp,domain,rank");
  app.add_option("-w,--workers", arguments.spider.workers, "Connections under way at once")
      ->type_name("N")
      ->transform(whole_number(1, max_workers))
      ->capture_default_str();
  app.add_option("--rate", arguments.spider.rate, "Connections a second (as fast as they end)")
      ->type_name("N")
      ->transform(number(0.001, 1e6));
  app.add_option("--timeout", arguments.timeout_s, "Seconds that a connection may take")
      ->type_name("S")
      ->transform(number(0.001, 3600.0))
      ->capture_default_str();
  app.add_option("--source", arguments.sources,
                 "Address of this machine to measure from; one of each family (the kernel's choice for each target)")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  app.add_option("--public-address", arguments.public_addresses,
                 "This machine's address as others see it; one of each family")
      ->type_name("ADDRESS")
      ->allow_extra_args(false);
  app.add_option("--asn", arguments.asn, "Autonomous system of this machine")
      ->type_name("N")
      ->transform(whole_number(0, UINT32_MAX));
  app.add_option("--look-up-public", arguments.look_up_url,
                 "Server to ask for what of these two is not given: answers with an address or JSON (none)")
      ->type_name("URL");
  app.add_option("--out", arguments.out, "Job records: ring:NAME or file:PATH")->type_name("ENDPOINT");
  app.add_option("--job-ring-mib", arguments.ring_mib, "Size of the job ring, where this makes it")
      ->type_name("MIB")
      ->transform(whole_number(min_ring_mib, max_ring_mib))
      ->capture_default_str();
  app.add_flag("--filter", arguments.filter, "Write the jobs as NDJSON, each target once, and exit");
  app.add_option("--dp", arguments.filter_port, "With --filter: destination port to give every job")
      ->type_name("PORT")
      ->transform(whole_number(1, 65535));
  app.add_flag("--describe-plugins", arguments.describe, "Print the plugins as JSON and exit");
  add_stage_options(app, arguments.stage);
  for (PluginEntry& entry : plugins) {
    PluginCommand& plugin = arguments.plugins.emplace_back(PluginCommand{std::move(entry), {}, nullptr});
    plugin.command = &add_plugin_command(app, plugin.entry.description, plugin.arguments);
  }
  app.allow_one_subcommand("PLUGIN");
}

} // namespace orbweaver
