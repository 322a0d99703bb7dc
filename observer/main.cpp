// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-observer: packets in, flows out.
#include "common/error.hpp"
#include "common/json/builder.hpp"
#include "common/process/options/whole_number.hpp"
#include "common/process/stage.hpp"
#include "common/system/memory_limit.hpp"
#include "config.hpp"
#include "observer/cage.hpp"
#include "observer/chain/find_chains.hpp"
#include "observer/observer.hpp"

#include <optional>
#include <spdlog/spdlog.h>

namespace {

using namespace orbweaver;

struct Options {
  StageOptions stage;
  FlowMeterOptions meter;
  std::string in, out;
  std::vector<std::string> chains;
  unsigned ring_mib = default_flow_ring_mib;
  unsigned observers = 1;
  std::optional<std::uint32_t> flow_memory_mib;
  std::string complete = "any";
  bool describe = false;
};

CompleteRule complete_rule(const std::string& name) {
  return name == "all" ? CompleteRule::all : name == "never" ? CompleteRule::never : CompleteRule::any;
}

/// The table that outlives this observer; where a predecessor left one, it is as large as that.
KeptTable keep(const ChainSet& chains, Options& options) {
  auto& meter = options.meter;
  const KeptTable kept(options.stage.kept_fd, chains.state_bytes() + meter.key_octets, meter.max_flows,
                       chains.wants_memory() ? meter.flow_memory_octets : 0);
  meter.max_flows = kept.flows().max_flows;
  meter.flow_memory_octets = kept.flows().flow_memory_octets;
  return kept;
}

int run(Options& options) {
  const std::vector<const SharedChain*> shared = find_shared_chains();
  if (options.describe) {
    print(chains_json(described(chains_of<LibraryChains>(shared))));
    return exit_done;
  }
  if (options.in.empty() || options.out.empty())
    throw UsageError("give --in and --out (see orbweaver-observer --help)");
  if (options.chains.empty())
    throw UsageError("name at least one chain (see orbweaver observe --list-chains)");
  const ChainSet chains = choose_chains<LibraryChains>(options.chains, shared);
  const Endpoint in = Endpoint::parse(options.in), out = Endpoint::parse(options.out);
  refuse_same_file(in, out);
  const MemoryPlan memory = plan_memory(memory_left(), options.observers);
  options.meter.flow_memory_octets =
      options.flow_memory_mib ? std::uint64_t{*options.flow_memory_mib} << 20 : memory.flow_memory_octets;
  options.meter.complete = complete_rule(options.complete);

  Stage stage(StageKind::observer, options.stage);
  const EndpointOptions endpoints = endpoint_options(options.stage, options.ring_mib);
  std::optional<RecordReader> input;
  const auto open_input = [&] {
    input.emplace(RecordReader::open(in, StreamKind::packets, endpoints, &stage.stop_reading()));
  };
  // A file is emptied as it is opened: only once there is something to read. A ring that is written comes before the
  // ring that is read, whose producer may be long in coming: the merger waits for it.
  if (in.kind == Endpoint::Kind::file || out.kind == Endpoint::Kind::file)
    open_input();
  RecordWriter writer = RecordWriter::open(out, chains.describe(), endpoints);
  if (!input)
    open_input();
  RecordReader& reader = *input;
  options.meter.key_octets = key_octets_of(reader.stream().needs);
  if (options.meter.max_flows == 0)
    options.meter.max_flows = flows_that_fit(memory.table_octets, chains.state_bytes() + options.meter.key_octets);
  if (const std::string missing = needs_in_words(chains.needs() & ~reader.stream().needs); !missing.empty())
    spdlog::warn("{} was captured for other chains: {} do not travel in it, and what rests on them stays unset",
                 in.name, missing);
  std::optional<KeptTable> kept;
  if (options.stage.kept_fd >= 0)
    kept = keep(chains, options);
  stage.enter_cage(observer_cage());
  const ObserverResult result = observe(reader, writer, chains, options.meter, stage.stop_reading(), stage,
                                        kept ? &*kept : nullptr, options.stage);
  if (!result.warning.empty())
    spdlog::warn("{}", result.warning);
  if (!result.complete) {
    spdlog::error("{}", result.problem);
    return exit_failed;
  }
  stage.finish(StageState::finished);
  return exit_done;
}

} // namespace

int main(int argc, char** argv) {
  Options options;
  options.meter.max_flows = 0;
  CommandLine app("Orbweaver's observer: reads packets, keeps the flow table, runs flow analysis chains, writes flows.",
                  "orbweaver-observer");
  app.set_version_flag("--version", "orbweaver-observer " ORBWEAVER_VERSION);
  app.add_option("--in", options.in, "Packets: ring:NAME or file:PATH")->type_name("ENDPOINT");
  app.add_option("--out", options.out, "Flows: ring:NAME or file:PATH")->type_name("ENDPOINT");
  app.add_option("CHAIN", options.chains,
                 "Flow analysis chains, with options as NAME:OPTION=VALUE,... (see orbweaver observe --list-chains)");
  const auto timeout = whole_number(1, max_timeout_s);
  app.add_option("--idle-timeout", options.meter.idle_timeout_s, "Seconds without a packet after which a flow ends")
      ->type_name("S")
      ->transform(timeout)
      ->capture_default_str();
  app.add_option("--complete-timeout", options.meter.complete_timeout_s,
                 "Seconds without a packet after which a completed flow leaves")
      ->type_name("S")
      ->transform(whole_number(0, max_complete_timeout_s))
      ->capture_default_str();
  app.add_option("--active-timeout", options.meter.active_timeout_s, "Seconds after which a long flow is cut (none)")
      ->type_name("S")
      ->transform(timeout);
  app.add_option("--max-flows", options.meter.max_flows,
                 "Most flows at once; the longest idle makes room (half of the memory that is left)")
      ->type_name("N")
      ->transform(whole_number(1, 0xFFFFFFF0));
  app.add_option("--flow-memory-mib", options.flow_memory_mib,
                 "Memory for what flows hold of variable length (names, lists); full, such values are null "
                 "(64, or an eighth of the memory that is left)")
      ->type_name("MIB")
      ->transform(whole_number(0, max_ring_mib));
  app.add_option("--complete", options.complete, "Whose 'complete' ends a flow: that of any chain, of all, or nobody's")
      ->type_name("any|all|never")
      ->one_of({"any", "all", "never"}, false)
      ->capture_default_str();
  app.add_option("--observers", options.observers, "Observers that share this machine's memory")
      ->type_name("N")
      ->transform(whole_number(1, max_observers));
  app.add_option("--flow-ring-mib", options.ring_mib, "Size of the flow ring, where this makes it")
      ->type_name("MIB")
      ->transform(whole_number(min_ring_mib, max_ring_mib))
      ->capture_default_str();
  app.add_flag("--describe-chains", options.describe, "Print the chains as JSON and exit");
  add_stage_options(app, options.stage);
  return run_program(app, argc, argv, [&] { return run(options); });
}
