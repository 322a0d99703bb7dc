// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/options/observe_options.hpp"

#include "common/process/options/whole_number.hpp"
#include "common/stream/records/flow_key.hpp"
#include "common/stream/records/tunnel_set.hpp"
#include "tools/run/options/option_groups.hpp"

#include <algorithm>
#include <cstdint>

namespace orbweaver {

namespace {

constexpr std::uint64_t most_packets = 1'000'000'000'000'000'000; // thirty years of 1 Gpkt/s

void add_source_options(CommandLine& app, ObserveOptions& options) {
  auto& arguments = options.capture_arguments;
  const auto take = [&options](const std::vector<std::string>& names) {
    options.sources = names;
    // A stage has a standard input of its own, unless it is asked to read ours.
    std::ranges::replace(options.sources, "/dev/stdin", "-");
  };
  app.add_list_function("-i,--input", take,
                        "An interface, a pcap or pcapng file (\"-\": standard input), or a libtrace URI (int, ring, "
                        "pcapint, dag, dpdk, rt, pcap, pcapfile, erf, rawerf, tsh, fr+, legacyeth or legacypos); "
                        "several times: files, merged by time, also as folders and quoted patterns")
      ->type_name("SOURCE")
      ->allow_extra_args(false);
  hand_on(app, arguments, "--reader", "auto|mapped|libtrace", "Who reads capture files")
      ->one_of({"auto", "mapped", "libtrace"}, false);
  app.add_flag("--follow", options.follow,
               "Read a file on as it grows, and then the next of its rotated series, until it is asked to end");
  add_filter_option(app, options);
  add_clock_option(app, options);
  hand_on(app, arguments, "--snaplen", "N", "Octets of each packet to look at; 0: all")
      ->transform(whole_number(0, UINT32_MAX));
  hand_on(app, arguments, "--count", "N", "Stop after N packets that pass the filter; 0: never")
      ->transform(whole_number(0, most_packets));
  app.add_flag_callback(
      "--promiscuous", [&arguments] { arguments.emplace_back("--promiscuous"); },
      "On an interface, take packets for other hosts too");
  app.add_option_function(
         "--flow-key",
         [&arguments](const std::string& text) {
           static_cast<void>(parse_flow_key(text));
           arguments.push_back("--flow-key=" + text);
         },
         "What tells flows apart beside the five-tuple: some of vlan, tunnel, icmp-id, separated by commas")
      ->type_name("LIST");
  app.add_option_function(
         "--decapsulate",
         [&arguments](const std::string& text) {
           static_cast<void>(TunnelSet::parse(text));
           arguments.push_back("--decapsulate=" + text);
         },
         "Tunnels to take off, so that the flows are those within: gre, erspan, vxlan, geneve, gtp, ipip, 6in4, "
         "teredo, l2tp, mpls, pppoe and etherip, separated by commas, or all")
      ->type_name("LIST");
  hand_on(app, arguments, "--deduplicate", "MS",
          "Leave out frames with the same octets as one up to so many milliseconds away; 0: none")
      ->transform(whole_number(0, 60'000));
  add_link_options(app, options);
}

} // namespace

CommandLine& add_observe_command(CommandLine& front, ObserveOptions& options) {
  auto& app =
      front.add_subcommand("observe", "Measure flows passively: packets in, one JSON object a flow out, or CSV");
  app.footer("Examples:\n"
             "  orbweaver observe -i capture.pcap basic tcp ecn\n"
             "  orbweaver observe -i 'night/*.pcap.zst' -i extra.pcapng basic tcp\n"
             "  orbweaver observe -i eth0 --observers 2 --cpus 2-5 --output flows.ndjson basic tcp\n"
             "  orbweaver observe -i capture.pcap --output flows.csv basic tcp\n"
             "  orbweaver observe -i capture.pcap --summary run.json --digest basic > flows.ndjson\n"
             "\n"
             "Flows go to standard output, everything else to standard error. Ctrl-C ends in order, with every flow\n"
             "written; a second one ends at once. Exit status: 0 done, 1 failed, 2 bad usage.");
  app.add_option("CHAIN", options.chains,
                 "Flow analysis chains, at least one; with options as in NAME:OPTION=VALUE,OPTION=VALUE")
      ->type_name("");
  app.add_config_option();
  app.add_flag("--list-chains", options.list_chains, "Print the chains with their fields and options, and exit");
  app.add_flag("--json", options.json, "With --list-chains: as JSON");
  add_group(app, "Packets", [&] { add_source_options(app, options); });
  add_group(app, "Flows", [&] { add_flow_options(app, options); });
  add_group(app, "Output", [&] {
    add_output_options(app, options, "flows");
    app.add_option("--format", options.format,
                   "How flows and events are written (as the suffix of --output says, or ndjson)")
        ->type_name("ndjson|csv");
    app.add_flag("--digest", options.digest, "Print a hash of the set of flows that does not depend on their order");
  });
  add_group(app, "Processes", [&] { add_machine_options(app, options, "capture, observers, merger"); });
  return app;
}

} // namespace orbweaver
