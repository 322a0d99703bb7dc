// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/observe_options.hpp"

#include "tools/cpu_list.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>

namespace orbweaver {

namespace {

constexpr std::uint64_t most_packets = 1'000'000'000'000'000'000; // thirty years of 1 Gpkt/s
constexpr std::uint64_t max_timeout_s = 86'400;                   // as the observer has it
constexpr std::uint64_t max_flows = 0xFFFFFFF0;                   // as the observer's table has it

/// Takes a whole number within bounds, both included, and hands it on in plain decimal. The help says nothing of it.
CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
  const auto check = [low, high](std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < low || number > high)
      return "'" + text + "' is not a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    text = std::to_string(number);
    return {};
  };
  return CLI::Validator(check, "");
}

/// An option that is only handed on to a stage.
CLI::Option* hand_on(CLI::App& app, std::vector<std::string>& arguments, const std::string& name,
                     const std::string& type, const std::string& help) {
  const auto append = [&arguments, name](const std::string& value) { arguments.push_back(name + "=" + value); };
  return app.add_option_function<std::string>(name, append, help)->type_name(type);
}

void add_source_options(CLI::App& app, ObserveOptions& options) {
  auto& arguments = options.capture_arguments;
  app.add_option_function<std::string>(
         "-i,--input", // a stage has a standard input of its own, unless it is asked to read ours
         [&options](const std::string& name) { options.source = name == "/dev/stdin" ? "-" : name; },
         "An interface, a pcap or pcapng file (\"-\": standard input), or any libtrace URI")
      ->type_name("SOURCE");
  hand_on(app, arguments, "--reader", "auto|mapped|libtrace", "Who reads capture files")
      ->check(CLI::IsMember({"auto", "mapped", "libtrace"}).description(""));
  hand_on(app, arguments, "--filter", "EXPR", "Only packets that match, in tcpdump's language");
  hand_on(app, arguments, "--snaplen", "N", "Octets of each packet to look at; 0: all")
      ->transform(whole_number(0, UINT32_MAX));
  hand_on(app, arguments, "--count", "N", "Stop after N packets that pass the filter; 0: never")
      ->transform(whole_number(0, most_packets));
  app.add_flag_callback(
      "--promiscuous", [&arguments] { arguments.emplace_back("--promiscuous"); },
      "On an interface, take packets for other hosts too");
}

void add_flow_options(CLI::App& app, ObserveOptions& options) {
  auto& arguments = options.observer_arguments;
  hand_on(app, arguments, "--idle-timeout", "S", "A flow ends after so long without a packet (30)")
      ->transform(whole_number(1, max_timeout_s));
  hand_on(app, arguments, "--complete-timeout", "S", "A flow that a chain saw complete stays for so long (5)")
      ->transform(whole_number(0, max_timeout_s));
  hand_on(app, arguments, "--active-timeout", "S", "A flow ends after so long, packets or not (never)")
      ->transform(whole_number(1, max_timeout_s));
  hand_on(app, arguments, "--max-flows", "N", "Flows in one observer's table; the longest idle one makes room")
      ->transform(whole_number(1, max_flows));
}

void add_output_options(CLI::App& app, ObserveOptions& options) {
  app.add_option("-o,--output", options.output, "Where the flows go (standard output)")->type_name("FILE");
  app.add_option("--summary", options.summary, "Write counters and the ledger of the run as JSON")->type_name("FILE");
  app.add_flag("--digest", options.digest, "Print a hash of the set of flows that does not depend on their order");
}

void add_machine_options(CLI::App& app, ObserveOptions& options) {
  app.add_option("--observers", options.observers, "Observer processes")
      ->type_name("N")
      ->transform(whole_number(1, max_observers))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--cpus", [&options](const std::string& list) { options.cpus = parse_cpu_list(list); },
         "Cores, as in 2,3,4,5 or 2-5, dealt out to capture, observers, merger in this order")
      ->type_name("LIST");
  const auto ring_bounds = whole_number(min_ring_mib, max_ring_mib);
  app.add_option("--packet-ring-mib", options.packet_ring_mib, "Size of the ring to each observer")
      ->type_name("MIB")
      ->transform(ring_bounds)
      ->capture_default_str();
  app.add_option("--flow-ring-mib", options.flow_ring_mib, "Size of the ring from each observer")
      ->type_name("MIB")
      ->transform(ring_bounds)
      ->capture_default_str();
  app.add_flag("--huge-pages", options.huge_pages, "Put the rings on huge pages");
  app.add_flag("--busy-poll", options.busy_poll, "Never sleep while waiting: for stages with a core each");
  app.add_option("--session", options.session, "Name of the session, for 'orbweaver stats' (session-PID)")
      ->type_name("NAME");
}

} // namespace

CLI::App& add_observe_command(CLI::App& front, ObserveOptions& options) {
  auto& app = *front.add_subcommand("observe", "Measure flows passively: packets in, one JSON object a flow out");
  app.footer("Examples:\n"
             "  orbweaver observe -i capture.pcap basic tcp ecn\n"
             "  orbweaver observe -i eth0 --observers 2 --cpus 2-5 --output flows.ndjson basic tcp\n"
             "  orbweaver observe -i capture.pcap --summary run.json --digest basic > flows.ndjson\n"
             "\n"
             "Flows go to standard output, everything else to standard error. Ctrl-C ends in order, with every flow\n"
             "written; a second one ends at once. Exit status: 0 done, 1 failed, 2 bad usage.");
  app.add_option("CHAIN", options.chains, "Flow analysis chains, at least one; --list-chains tells them")
      ->type_name("");
  app.add_flag("--list-chains", options.list_chains, "Print the chains with their fields, one a line, and exit");
  const auto grouped = [&app](const std::string& group, auto&& add) {
    app.option_defaults()->group(group);
    add();
  };
  grouped("Packets", [&] { add_source_options(app, options); });
  grouped("Flows", [&] { add_flow_options(app, options); });
  grouped("Output", [&] { add_output_options(app, options); });
  grouped("Processes", [&] { add_machine_options(app, options); });
  return app;
}

} // namespace orbweaver
