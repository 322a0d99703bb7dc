// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/run.hpp"

#include "capture/cage.hpp"
#include "capture/capture.hpp"
#include "capture/filter.hpp"
#include "capture/last_frames.hpp"
#include "capture/sources/open_inputs.hpp"
#include "common/clock.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/records/flow_key.hpp"

#include <csignal>
#include <memory>
#include <optional>
#include <random>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

namespace orbweaver {

namespace {

std::uint64_t random_seed() {
  std::random_device device; // the kernel's random numbers
  return std::uint64_t{device()} << 32 | device();
}

std::vector<RecordWriter> open_outputs(const CaptureArguments& arguments, const std::vector<Endpoint>& outputs,
                                       std::uint32_t needs) {
  const StreamDescription stream = stream_of(StreamKind::packets, needs);
  std::vector<RecordWriter> writers;
  writers.reserve(outputs.size());
  for (const auto& output : outputs)
    writers.push_back(RecordWriter::open(output, stream, endpoint_options(arguments.stage, arguments.ring_mib)));
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

} // namespace

int run_capture(const CaptureArguments& arguments) {
  end_on_sigterm();
  CaptureOptions options;
  options.needs = needs_of(arguments) | parse_flow_key(arguments.flow_key);
  if (!arguments.decapsulate.empty())
    options.tunnels = TunnelSet::parse(arguments.decapsulate);
  options.deduplicate_ns = std::uint64_t{arguments.deduplicate_ms} * 1'000'000;
  if (arguments.count > 0)
    options.count = arguments.count;
  options.seed = random_seed();
  options.clock_tolerance_s = arguments.clock_tolerance_s;
  options.say = [](const std::string& what) { spdlog::warn("{}", what); };
  std::optional<BpfFilter> filter;
  if (!arguments.filter.empty())
    options.filter = &filter.emplace(arguments.filter);
  const auto outputs = choose_outputs(arguments);
  SourceOptions from = source_options(arguments);
  from.link.say = [](const std::string& what) { spdlog::warn("{}", what); };
  const std::unique_ptr<Source> source =
      open_inputs(from, arguments.inputs,
                  {.error = [](const std::string& what) { spdlog::error("{}", what); }, .warn = options.say});
  if (source->live())
    go_first();

  Stage stage(StageKind::capture, arguments.stage);
  constexpr std::size_t seed_word = 0, watched_word = 1, offset_word = 2; // what a follower has to know
  if (arguments.stage.takes_over >= 0 && stage.kept(seed_word) != 0) {
    options.seed = stage.kept(seed_word); // one flow, one observer
    options.counters_before = stage.counters_before();
    options.watched_before_ns = stage.kept(watched_word);
    options.clock_offset_before_ns = stage.kept(offset_word);
  }
  stage.keep(seed_word, options.seed);
  if (arguments.stage.takes_over < 0)
    stage.keep(watched_word, realtime_ns());
  Capture capture(*source, open_outputs(arguments, outputs, options.needs), options, stage.stop());
  if (arguments.stage.poison_fd >= 0)
    give_out_last_frames(arguments.stage.poison_fd);
  stage.enter_cage(capture_cage(arguments, *source));
  const CaptureResult result = capture.run([&](auto counters, std::uint64_t now_ns) {
    if (capture.watched_to_ns() != 0)
      stage.keep(watched_word, capture.watched_to_ns());
    stage.keep(offset_word, capture.clock_offset_ns());
    stage.publish(counters, now_ns);
  });

  if (const std::string warning = source->warning(); !warning.empty())
    spdlog::warn("{}", warning);
  if (filter && !filter->complaint().empty()) {
    spdlog::error("{}; no packet of that link type passed", filter->complaint());
    return exit_failed;
  }
  if (const auto filtered = capture.counter(CaptureCounter::filtered);
      filter && filtered != 0 && filtered == capture.counter(CaptureCounter::packets_read))
    spdlog::warn("{}", filter->why_none(filtered));
  const std::string failed = result.cause == EndCause::failed ? result.error : source->failures();
  if (result.cause == EndCause::failed || !failed.empty()) {
    spdlog::error("{}", failed);
    return exit_failed;
  }
  stage.finish(result.cause == EndCause::interrupted ? StageState::stopped : StageState::finished);
  return exit_done;
}

} // namespace orbweaver
