// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/options.hpp"

#include "capture/capture.hpp"
#include "capture/seen_frames.hpp"
#include "capture/sources/kernel_buffer.hpp"
#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/input_list.hpp"
#include "common/process/options/chain_list.hpp"
#include "common/process/options/whole_number.hpp"

#include <algorithm>

namespace orbweaver {

namespace {
constexpr std::uint64_t max_link_timeout_s = 31'536'000; // a year
} // namespace

void add_arguments(CommandLine& app, CaptureArguments& arguments) {
  app.add_option("-i,--input", arguments.inputs,
                 "What to read: an interface, a pcap or pcapng file (\"-\": standard input), or a libtrace URI (int, "
                 "ring, pcapint, dag, dpdk, rt, pcap, pcapfile, erf, rawerf, tsh, fr+, legacyeth or legacypos); files "
                 "may be several, also as folders and quoted patterns, and are merged by time")
      ->type_name("SOURCE")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--out", arguments.outputs,
                 "Where packet records go: ring:NAME or file:PATH; given several times, flows are dealt out to them")
      ->type_name("ENDPOINT")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--reader", arguments.reader,
                 "Who reads capture files: our own reader (mapped), libtrace, or as suits the source (auto)")
      ->type_name("auto|mapped|libtrace");
  app.add_flag("--follow", arguments.source.follow,
               "Read a file on as it grows, and then the next of its rotated series, until it is asked to end");
  app.add_option("--filter", arguments.filter, "Only packets that match, in tcpdump's language")->type_name("EXPR");
  app.add_option("--snaplen", arguments.source.snap_length, "Octets of each packet to look at; 0: all")
      ->type_name("N")
      ->transform(whole_number(0, UINT32_MAX));
  app.add_option("--count", arguments.count, "Stop after N packets that pass the filter; 0: never")
      ->type_name("N")
      ->transform(whole_number(0, UINT64_MAX));
  app.add_option("--clock-tolerance", arguments.clock_tolerance_s,
                 "How far from its neighbours a packet's time is believed at once; 0: always")
      ->type_name("S")
      ->transform(whole_number(0, max_clock_tolerance_s))
      ->capture_default_str();
  app.add_option("--flow-key", arguments.flow_key,
                 "What tells flows apart beside the five-tuple: some of vlan, tunnel, icmp-id, separated by commas")
      ->type_name("LIST");
  app.add_option(
         "--decapsulate", arguments.decapsulate,
         "Tunnels to take off, so that the flows are those within: gre, erspan, vxlan, geneve, gtp, ipip, 6in4, "
         "teredo, l2tp, mpls, pppoe and etherip, separated by commas, or all")
      ->type_name("LIST");
  app.add_option("--deduplicate", arguments.deduplicate_ms,
                 "Leave out frames with the same octets as one up to so many milliseconds away; 0: none")
      ->type_name("MS")
      ->transform(whole_number(0, max_deduplicate_ms));
  app.add_flag("--promiscuous", arguments.source.promiscuous, "On an interface, take packets for other hosts too");
  app.add_option("--kernel-buffer-mib", arguments.source.kernel_buffer_mib,
                 "On an interface, what the kernel keeps of packets that are not read yet (2)")
      ->type_name("MIB")
      ->transform(whole_number(1, max_kernel_buffer_mib));
  app.add_option("--on-link-loss", arguments.on_link_loss,
                 "When the interface goes down, loses its carrier or is removed: wait for it to come back, or stop")
      ->type_name("wait|stop")
      ->one_of({"wait", "stop"}, false)
      ->capture_default_str();
  app.add_option("--link-timeout", arguments.source.link.removed_wait_s,
                 "Seconds in which an interface that was removed may come back")
      ->type_name("S")
      ->transform(whole_number(0, max_link_timeout_s))
      ->capture_default_str();
  app.add_option("--packet-ring-mib", arguments.ring_mib, "Size of a ring that does not exist yet")
      ->type_name("MIB")
      ->transform(whole_number(min_ring_mib, max_ring_mib))
      ->capture_default_str();
  app.add_option("chains", arguments.chains,
                 "The chains that will observe: only what they need goes along; none named: all that any may need")
      ->type_name("CHAIN");
  app.add_option("--needs", arguments.needs)->group("");
  add_stage_options(app, arguments.stage);
}

SourceOptions source_options(const CaptureArguments& arguments) {
  SourceOptions source = arguments.source;
  if (arguments.reader == "auto")
    source.reader = SourceOptions::Reader::automatic;
  else if (arguments.reader == "mapped")
    source.reader = SourceOptions::Reader::mapped;
  else if (arguments.reader == "libtrace")
    source.reader = SourceOptions::Reader::libtrace;
  else
    throw UsageError("--reader " + arguments.reader + ": give auto, mapped or libtrace");
  source.link.wait = arguments.on_link_loss == "wait";
  return source;
}

std::vector<Endpoint> choose_outputs(const CaptureArguments& arguments) {
  if (arguments.outputs.size() > max_observers)
    throw UsageError("--out was given " + std::to_string(arguments.outputs.size()) + " times; at most " +
                     std::to_string(max_observers) + " observers can share a capture");
  std::vector<Endpoint> outputs;
  for (const auto& text : arguments.outputs) {
    const auto output = Endpoint::parse(text);
    const auto is_this = [&output](const Endpoint& other) {
      return other.text() == output.text() ||
             (output.kind == Endpoint::Kind::file && other.kind == output.kind && same_file(other.name, output.name));
    };
    if (std::any_of(outputs.begin(), outputs.end(), is_this))
      throw UsageError("--out " + text + " was given twice; give each observer one of its own");
    outputs.push_back(output);
    if (output.kind == Endpoint::Kind::file)
      for (const auto& input : list_inputs(arguments.inputs).inputs)
        refuse_same_file(input_file(input.name), output.name);
  }
  return outputs;
}

std::uint32_t needs_of(const CaptureArguments& arguments) {
  if (!arguments.needs.empty())
    return parse_needs(arguments.needs);
  return arguments.chains.empty() ? CaptureOptions().needs : needs_of(arguments.chains, describe_chains());
}

} // namespace orbweaver
