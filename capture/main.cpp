// SPDX-License-Identifier: GPL-3.0-or-later
// orbweaver-capture: reads packets, dissects them, and deals them out to the observers.
#include "capture/capture.hpp"
#include "capture/filter.hpp"
#include "capture/sources/open_source.hpp"
#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/process/chain_list.hpp"
#include "common/process/stage.hpp"
#include "common/process/whole_number.hpp"
#include "config.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace {

using namespace orbweaver;

struct Options {
  StageOptions stage;
  SourceOptions source;
  std::vector<std::string> outputs;
  std::vector<std::string> chains;
  std::optional<std::uint32_t> needs; ///< Need; from the front command, which has asked what the chains need
  std::string filter;
  std::string reader = "auto";
  std::uint64_t count = 0;
  unsigned ring_mib = default_packet_ring_mib;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("-i,--input", options.source.name,
                 "What to read: an interface, a pcap or pcapng file (\"-\": standard input), or a libtrace URI (int, "
                 "ring, pcapint, dag, dpdk, rt, pcap, pcapfile, erf, rawerf, tsh, fr+, legacyeth or legacypos)")
      ->type_name("SOURCE")
      ->required();
  app.add_option("--out", options.outputs,
                 "Where packet records go: ring:NAME or file:PATH; given several times, flows are dealt out to them")
      ->type_name("ENDPOINT")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--reader", options.reader,
                 "Who reads capture files: our own reader (mapped), libtrace, or as suits the source (auto)")
      ->type_name("auto|mapped|libtrace");
  app.add_option("--filter", options.filter, "Only packets that match, in tcpdump's language")->type_name("EXPR");
  app.add_option("--snaplen", options.source.snap_length, "Octets of each packet to look at; 0: all")
      ->type_name("N")
      ->transform(whole_number(0, UINT32_MAX));
  app.add_option("--count", options.count, "Stop after N packets that pass the filter; 0: never")
      ->type_name("N")
      ->transform(whole_number(0, UINT64_MAX));
  app.add_flag("--promiscuous", options.source.promiscuous, "On an interface, take packets for other hosts too");
  app.add_option("--packet-ring-mib", options.ring_mib, "Size of a ring that does not exist yet")
      ->type_name("MIB")
      ->transform(whole_number(min_ring_mib, max_ring_mib))
      ->capture_default_str();
  app.add_option("chains", options.chains,
                 "The chains that will observe: only the octets that they need go along; none named: all octets")
      ->type_name("CHAIN");
  app.add_option("--needs", options.needs)->transform(whole_number(0, UINT32_MAX))->group("");
  add_stage_options(app, options.stage);
}

SourceOptions::Reader reader_of(const std::string& name) {
  if (name == "auto")
    return SourceOptions::Reader::automatic;
  if (name == "mapped")
    return SourceOptions::Reader::mapped;
  if (name == "libtrace")
    return SourceOptions::Reader::libtrace;
  throw UsageError("--reader " + name + ": give auto, mapped or libtrace");
}

std::uint64_t random_seed() {
  std::random_device device; // the kernel's random numbers
  return std::uint64_t{device()} << 32 | device();
}

/// Throws UsageError where outputs are too many, the same, or what is to be read.
std::vector<Endpoint> choose_outputs(const Options& options) {
  if (options.outputs.size() > max_observers)
    throw UsageError("--out was given " + std::to_string(options.outputs.size()) + " times; at most " +
                     std::to_string(max_observers) + " observers can share a capture");
  std::vector<Endpoint> outputs;
  for (const auto& text : options.outputs) {
    const auto output = Endpoint::parse(text);
    const auto is_this = [&output](const Endpoint& other) {
      return other.text() == output.text() ||
             (output.kind == Endpoint::Kind::file && other.kind == output.kind && same_file(other.name, output.name));
    };
    if (std::any_of(outputs.begin(), outputs.end(), is_this))
      throw UsageError("--out " + text + " was given twice; give each observer one of its own");
    outputs.push_back(output);
    if (output.kind == Endpoint::Kind::file)
      refuse_same_file(input_file(options.source.name), output.name);
  }
  return outputs;
}

std::vector<RecordWriter> open_outputs(const Options& options, const std::vector<Endpoint>& outputs,
                                       std::uint32_t needs) {
  const StreamDescription stream = stream_of(StreamKind::packets, needs);
  std::vector<RecordWriter> writers;
  writers.reserve(outputs.size());
  for (const auto& output : outputs)
    writers.push_back(RecordWriter::open(output, stream, endpoint_options(options.stage, options.ring_mib)));
  return writers;
}

/// Until there is a stage, SIGTERM ends the process, which the front command starts with it blocked: nothing was read
/// yet, so nothing is lost, and a source may let wait for itself as long as it likes (a FIFO that nobody writes).
void end_on_sigterm() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

/// A live source waits for nobody: where there is the right to (CAP_SYS_NICE), capture goes before other processes. On
/// two cores that a measurement keeps busy it halved the runs in which the kernel lost packets.
void go_first() noexcept {
  setpriority(PRIO_PROCESS, 0, -10);
}

int run(const Options& options) {
  end_on_sigterm();
  CaptureOptions capture_options;
  if (options.needs)
    capture_options.needs = *options.needs;
  else if (!options.chains.empty())
    capture_options.needs = needs_of(options.chains, describe_chains());
  if (options.count > 0)
    capture_options.count = options.count;
  capture_options.seed = random_seed();
  std::optional<BpfFilter> filter;
  if (!options.filter.empty())
    capture_options.filter = &filter.emplace(options.filter);
  const auto outputs = choose_outputs(options);
  SourceOptions source_options = options.source;
  source_options.reader = reader_of(options.reader);
  const std::unique_ptr<Source> source = open_source(source_options);
  if (source->live())
    go_first();

  Stage stage(StageKind::capture, options.stage);
  Capture capture(*source, open_outputs(options, outputs, capture_options.needs), capture_options, stage.stop());
  const CaptureResult result =
      capture.run([&](auto counters, std::uint64_t now_ns) { stage.publish(counters, now_ns); });

  if (const std::string warning = source->warning(); !warning.empty())
    spdlog::warn("{}", warning);
  if (filter && !filter->complaint().empty()) {
    spdlog::error("{}; no packet of that link type passed", filter->complaint());
    return exit_failed;
  }
  if (result.cause == EndCause::failed) {
    spdlog::error("{}", result.error);
    return exit_failed;
  }
  stage.finish(result.cause == EndCause::interrupted ? StageState::stopped : StageState::finished);
  return exit_done;
}

} // namespace

int main(int argc, char** argv) {
  CLI::App app("Reads packets from a file or an interface and gives them, dissected, to the observers.",
               "orbweaver-capture");
  app.set_version_flag("--version", "orbweaver-capture " ORBWEAVER_VERSION);
  Options options;
  add_options(app, options);
  return run_program(app, argc, argv, [&] { return run(options); });
}
