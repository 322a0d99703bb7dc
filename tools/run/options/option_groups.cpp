// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/options/option_groups.hpp"

#include "common/error.hpp"
#include "common/process/files/rotation.hpp"
#include "common/process/options/defaults.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/stream/endpoint.hpp"
#include "config.hpp"
#include "tools/run/options/cpu_list.hpp"

#include <spdlog/fmt/fmt.h>

namespace orbweaver {

namespace {

constexpr std::uint64_t max_timeout_s = 86'400;             // as the observer has it
constexpr std::uint64_t max_complete_timeout_s = 32'768;    // as the observer has it
constexpr std::uint64_t max_clock_tolerance_s = 31'536'000; // as capture has it
constexpr std::uint64_t max_link_timeout_s = 31'536'000;    // as capture has it
constexpr std::uint64_t max_kernel_buffer_mib = 2047;       // as capture has it
constexpr std::uint64_t max_flows = 0xFFFFFFF0;             // as the observer's table has it

} // namespace

CommandOption* hand_on(CommandLine& app, std::vector<std::string>& arguments, const std::string& name,
                       const std::string& type, const std::string& help) {
  const auto append = [&arguments, stage_name = name.substr(name.find(',') + 1)](const std::string& value) {
    arguments.push_back(stage_name + "=" + value);
  };
  return app.add_option_function(name, append, help)->type_name(type);
}

void add_filter_option(CommandLine& app, RunOptions& options) {
  hand_on(app, options.capture_arguments, "--filter", "EXPR", "Only packets that match, in tcpdump's language");
}

void add_clock_option(CommandLine& app, RunOptions& options) {
  hand_on(app, options.capture_arguments, "--clock-tolerance", "S",
          "How far from its neighbours a packet's time is believed at once (60); 0: always")
      ->transform(whole_number(0, max_clock_tolerance_s));
}

void add_link_options(CommandLine& app, RunOptions& options) {
  hand_on(app, options.capture_arguments, "--kernel-buffer-mib", "MIB",
          "On an interface, what the kernel keeps of packets that are not read yet (2)")
      ->transform(whole_number(1, max_kernel_buffer_mib));
  hand_on(app, options.capture_arguments, "--on-link-loss", "wait|stop",
          "When the interface goes down, loses its carrier or is removed: wait for it to come back, or stop (wait)")
      ->one_of({"wait", "stop"}, false);
  hand_on(app, options.capture_arguments, "--link-timeout", "S",
          "Seconds in which an interface that was removed may come back (10)")
      ->transform(whole_number(0, max_link_timeout_s));
}

void add_flow_options(CommandLine& app, RunOptions& options) {
  auto& arguments = options.observer_arguments;
  hand_on(app, arguments, "--idle-timeout", "S",
          fmt::format("A flow ends after so long without a packet ({})", default_idle_timeout_s))
      ->transform(whole_number(1, max_timeout_s));
  hand_on(app, arguments, "--complete-timeout", "S",
          fmt::format("A flow that a chain saw complete leaves so long after its last packet ({})",
                      default_complete_timeout_s))
      ->transform(whole_number(0, max_complete_timeout_s));
  hand_on(app, arguments, "--active-timeout", "S", "A flow ends after so long, packets or not (never)")
      ->transform(whole_number(1, max_timeout_s));
  hand_on(app, arguments, "--max-flows", "N", "Flows in one observer's table; the longest idle one makes room")
      ->transform(whole_number(1, max_flows));
  hand_on(app, arguments, "--flow-memory-mib", "MIB",
          "Memory in each observer for names, lists and the like (64); full, they are null")
      ->transform(whole_number(0, max_ring_mib));
  hand_on(app, arguments, "--complete", "any|all|never",
          "A flow is complete when any chain says so, when all that can have, or never (any)")
      ->one_of({"any", "all", "never"}, false);
}

void add_output_options(CommandLine& app, RunOptions& options, const std::string& what) {
  app.add_option("-o,--output", options.output, "Where the " + what + " go (standard output)")->type_name("FILE");
  auto& arguments = options.merger_arguments;
  hand_on(app, arguments, "--sync", "S",
          fmt::format("What a power cut may cost of a file that grows as its {} come ({})", what, default_sync_s))
      ->transform(whole_number(0, max_timeout_s));
  hand_on(app, arguments, "--on-full", "wait|stop", "On a full disk: wait until there is room, or stop (wait)")
      ->one_of({"wait", "stop"}, false);
  const auto note = [&options](bool RunOptions::*is_given, const char* name) {
    return [&options, is_given, name](const std::string& value) {
      options.*is_given = true;
      options.merger_arguments.push_back(std::string(name) + "=" + value);
    };
  };
  app.add_option_function("--rotate", note(&RunOptions::rotates, "--rotate"),
                          "A new file after so much of the packet clock, or so many octets, and on SIGHUP; --output "
                          "has the time in its name: " +
                              what + "-%Y%m%dT%H%M%SZ.ndjson")
      ->type_name("5m|1GiB")
      ->transform(file_bound());
  app.add_option_function("--keep", note(&RunOptions::keeps, "--keep"),
                          "With --rotate: remove the oldest files, so that none is older, or all have no more octets")
      ->type_name("7d|100GiB")
      ->transform(file_bound());
  app.add_option("--rotate-command", options.rotate_command,
                 "With --rotate: run this program for each complete file, with its name as the argument")
      ->type_name("PROGRAM");
  app.add_option("--summary", options.summary, "Write counters and the ledger of the run as JSON")->type_name("FILE");
}

void check_rotation(const RunOptions& options, const std::string& path) {
  check_rotation(options.rotates, options.keeps, path);
  if (!options.rotates && !options.rotate_command.empty())
    throw UsageError("--rotate-command is run for files that --rotate made: give --rotate too");
}

void refuse_shared_output(const RunOptions& options) {
  if (options.output != "-" && same_file(options.output, options.summary))
    throw UsageError("--output and --summary are one file, " + options.output + "; give each one of its own");
}

void add_machine_options(CommandLine& app, RunOptions& options, const std::string& stages) {
  app.add_option("--observers", options.observers, "Observer processes")
      ->type_name("N")
      ->transform(whole_number(1, max_observers))
      ->capture_default_str();
  app.add_option_function(
         "--cpus", [&options](const std::string& list) { options.cpus = parse_cpu_list(list); },
         "Cores, as in 2,3,4,5 or 2-5, dealt out to " + stages + " in this order")
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
  app.add_option("--restart", options.restart,
                 "Live: how often in a minute a stage that dies is followed by another one, which goes on where it "
                 "stopped (20)")
      ->type_name("N|never");
  auto* const user =
      app.add_option("--user", options.user, "The user that the stages become once everything is open (root only)");
  user->type_name("NAME");
  app.add_flag("--no-sandbox", options.no_sandbox, "The stages keep all rights: to find out what a cage forbids")
      ->excludes(user);
  app.add_flag("--verbose", options.verbose, "Print every message of the stages, also where many are of a kind");
#ifdef ORBWEAVER_TRIES
  app.add_option("--try-in-cage", options.try_in_cage)->group("");
#endif
  app.add_option("--session", options.session, "Name of the session, for 'orbweaver stats' (session-PID)")
      ->type_name("NAME");
}

} // namespace orbweaver
