// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/pipeline.hpp"

#include "common/process/files/kept_memory.hpp"
#include "common/process/stage.hpp"
#include "common/stream/endpoint.hpp"
#include "common/stream/ring/wait.hpp"
#include "tools/run/options/cpu_list.hpp"

#include <algorithm>
#include <fcntl.h>
#include <stdexcept>

namespace orbweaver {

namespace {

std::string segment_name(const Session& session, const std::string& stream, unsigned index) {
  return Endpoint{Endpoint::Kind::ring, session.ring_name(stream, index)}.segment_name();
}

bool came(const RingEnd& end) noexcept {
  return end.state.load(std::memory_order_acquire) != EndState::absent; // pairs with RecordWriter::open
}

bool several(const RunPlan& plan, StageKind kind) {
  return std::count_if(plan.stages.begin(), plan.stages.end(), [&](const auto& s) { return s.kind == kind; }) > 1;
}

} // namespace

bool StageProcess::ready() const noexcept {
  return std::all_of(outputs.begin(), outputs.end(), [](const RingHeader* ring) { return came(ring->producer); }) &&
         std::all_of(inputs.begin(), inputs.end(),
                     [](const RingHeader* ring) { return came(ring->consumer) || !came(ring->producer); });
}

void StageProcess::start() {
  auto all = arguments;
  if (block->restarts.load(std::memory_order_relaxed) > 0)
    all.insert(all.begin(), "--takes-over=" + std::to_string(last_signal));
  std::vector<int> handed;
  for (const auto* memory : {&kept, &poison})
    if (*memory)
      handed.push_back(memory->get());
  process = Process::start(program, all, streams, handed);
  restart_at_ns = 0;
}

bool StageProcess::can_be_followed() const noexcept {
  const auto finished = [](const RingHeader* ring) {
    return ring->producer.state.load(std::memory_order_acquire) == EndState::finished;
  };
  switch (kind) {
  case StageKind::capture:
    return !streams.inherit_stdin && !std::ranges::all_of(outputs, finished);
  case StageKind::observer:
  case StageKind::spider:
    return static_cast<bool>(kept);
  case StageKind::merger:
    return block->kept[0].load(std::memory_order_relaxed) == 1; // its output can be cut to what belongs to the rings
  }
  return false;
}

bool StageProcess::waits_for_writer() const noexcept {
  return std::any_of(inputs.begin(), inputs.end(), [](const RingHeader* ring) { return !came(ring->producer); });
}

Pipeline::Pipeline(const RunPlan& plan) : session_(Session::create(plan.session)) {
  try {
    rings_.reserve(plan.rings.size());
    for (const auto& ring : plan.rings)
      rings_.push_back(Ring::create(segment_name(session_, ring.stream, ring.index), std::uint64_t{ring.mib} << 20,
                                    plan.huge_pages, plan.restarts > 0));
    stages_.reserve(plan.stages.size());
    for (const auto& stage : plan.stages)
      add_stage(stage, plan);
  } catch (...) {
    Session::remove(session_.name());
    throw;
  }
}

Pipeline::~Pipeline() {
  Session::remove(session_.name());
}

StageProcess* Pipeline::stage(StageKind kind) noexcept {
  const auto found = std::find_if(stages_.begin(), stages_.end(), [&](const auto& s) { return s.kind == kind; });
  return found == stages_.end() ? nullptr : &*found;
}

RingHeader& Pipeline::ring(const RingUse& use) const {
  const auto name = segment_name(session_, use.stream, use.index);
  const auto found = std::find_if(rings_.begin(), rings_.end(), [&](const Ring& ring) { return ring.name() == name; });
  if (found == rings_.end())
    throw std::logic_error("a stage uses the ring " + name + ", which the plan does not have");
  return found->header();
}

void Pipeline::add_stage(const StagePlan& plan, const RunPlan& run) {
  StageProcess stage;
  const std::size_t slot = stages_.size();
  stage.kind = plan.kind;
  stage.block = &session_.add_stage(plan.kind, plan.index);
  stage.name = "orbweaver-" + std::string(to_string(plan.kind));
  stage.program = find_program(stage.name);
  if (several(run, plan.kind))
    stage.name.append(" ").append(std::to_string(plan.index));
  stage.streams = plan.streams;

  auto& arguments = stage.arguments;
  arguments = {"--session=" + session_.name(), "--slot=" + std::to_string(slot)};
  if (const int cpu = deal_cpu(run.cpus, slot); cpu >= 0)
    arguments.push_back("--cpu=" + std::to_string(cpu));
  if (run.busy_poll)
    arguments.emplace_back("--busy-poll");
  if (!run.user.empty())
    arguments.push_back("--user=" + run.user);
  if (run.no_sandbox)
    arguments.emplace_back("--no-sandbox");
  if (run.verbose)
    arguments.emplace_back("--verbose");
  if (const auto tried = std::string(to_string(plan.kind)) + ":"; run.try_in_cage.starts_with(tried))
    arguments.push_back("--try-in-cage=" + run.try_in_cage.substr(tried.size()));
  if (constexpr std::string_view helper = "helper:";
      plan.kind == StageKind::spider && run.try_in_cage.starts_with(helper))
    arguments.push_back("--try-in-helper=" + run.try_in_cage.substr(helper.size()));
  if (run.restarts > 0) {
    if (plan.kind != StageKind::capture) {
      stage.kept = make_kept_memory("orbweaver." + session_.name() + "." + std::to_string(slot));
      arguments.push_back("--kept=" + std::to_string(stage.kept.get()));
    }
    stage.poison = make_kept_memory("orbweaver." + session_.name() + ".poison");
    fcntl(stage.poison.get(), F_SETFL, O_APPEND);
    arguments.push_back("--poison=" + std::to_string(stage.poison.get()));
  }
  const auto attach = [&](const std::vector<RingUse>& uses, std::vector<RingHeader*>& rings) {
    for (const auto& use : uses) {
      rings.push_back(&ring(use));
      arguments.push_back(use.option + "=ring:" + session_.ring_name(use.stream, use.index));
    }
  };
  attach(plan.reads, stage.inputs);
  attach(plan.writes, stage.outputs);
  arguments.insert(arguments.end(), plan.arguments.begin(), plan.arguments.end());
  stages_.push_back(std::move(stage));
}

void Pipeline::mark_dead(const StageProcess& stage) noexcept {
  const auto mark = [](RingEnd& end, RingEnd& other) {
    for (auto state : {EndState::absent, EndState::attached})
      end.state.compare_exchange_strong(state, EndState::dead, std::memory_order_acq_rel);
    wake_peer(other.waiting);
  };
  for (auto* ring : stage.outputs)
    mark(ring->producer, ring->consumer);
  for (auto* ring : stage.inputs)
    mark(ring->consumer, ring->producer);
}

} // namespace orbweaver
