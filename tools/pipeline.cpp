// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/pipeline.hpp"

#include "common/endpoint.hpp"
#include "common/stage.hpp"
#include "common/wait.hpp"
#include "tools/cpu_list.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

void append(std::vector<std::string>& list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
}

} // namespace

bool StageProcess::ready() const noexcept {
  return std::all_of(outputs.begin(), outputs.end(), [](const RingEnd* end) {
    return end->state.load(std::memory_order_acquire) != EndState::absent; // pairs with RecordWriter::open
  });
}

Pipeline::Pipeline(const ObserveOptions& options)
    : session_(Session::create(options.session)), observers_(options.observers) {
  try {
    make_rings(options);
    stages_.reserve(observers_ + 2);
    add_stage(StageKind::capture, 0, options);
    for (unsigned i = 0; i < observers_; ++i)
      add_stage(StageKind::observer, i, options);
    add_stage(StageKind::merger, 0, options);
  } catch (...) {
    Session::remove(session_.name());
    throw;
  }
}

Pipeline::~Pipeline() {
  Session::remove(session_.name());
}

void Pipeline::make_rings(const ObserveOptions& options) {
  rings_.reserve(2 * observers_);
  const auto make = [&](std::string_view stream, unsigned mib) {
    for (unsigned i = 0; i < observers_; ++i) {
      const Endpoint endpoint{Endpoint::Kind::ring, session_.ring_name(stream, i)};
      rings_.push_back(Ring::create(endpoint.segment_name(), std::uint64_t{mib} << 20, options.huge_pages));
    }
  };
  make("packets", options.packet_ring_mib);
  make("flows", options.flow_ring_mib);
}

void Pipeline::add_stage(StageKind kind, unsigned index, const ObserveOptions& options) {
  StageProcess stage;
  const std::size_t slot = stages_.size();
  stage.block = &session_.add_stage(kind, index);
  stage.name = "orbweaver-" + std::string(to_string(kind));
  stage.program = find_program(stage.name);
  if (kind == StageKind::observer && observers_ > 1)
    stage.name += " " + std::to_string(index);

  auto& arguments = stage.arguments;
  arguments = {"--session=" + session_.name(), "--slot=" + std::to_string(slot)};
  if (const int cpu = deal_cpu(options.cpus, slot); cpu >= 0)
    arguments.push_back("--cpu=" + std::to_string(cpu));
  if (options.busy_poll)
    arguments.emplace_back("--busy-poll");

  const auto ring = [&](std::string_view stream, unsigned i) { return "ring:" + session_.ring_name(stream, i); };
  const auto packets = [&](unsigned i) -> RingHeader& { return rings_[i].header(); };
  const auto flows = [&](unsigned i) -> RingHeader& { return rings_[observers_ + i].header(); };
  switch (kind) {
  case StageKind::capture:
    stage.streams.inherit_stdin = options.source == "-";
    arguments.push_back("--input=" + options.source);
    for (unsigned i = 0; i < observers_; ++i) {
      arguments.push_back("--out=" + ring("packets", i));
      stage.outputs.push_back(&packets(i).producer);
    }
    append(arguments, options.capture_arguments);
    append(arguments, options.chains);
    break;
  case StageKind::observer:
    append(arguments, {"--in=" + ring("packets", index), "--out=" + ring("flows", index),
                       "--observers=" + std::to_string(observers_)});
    stage.inputs.push_back(&packets(index).consumer);
    stage.outputs.push_back(&flows(index).producer);
    append(arguments, options.observer_arguments);
    append(arguments, options.chains);
    break;
  case StageKind::merger:
    stage.streams.inherit_stdout = true;
    for (unsigned i = 0; i < observers_; ++i) {
      arguments.push_back("--flows=" + ring("flows", i));
      stage.inputs.push_back(&flows(i).consumer);
    }
    if (!options.output.empty())
      arguments.push_back("--output=" + options.output);
    if (options.digest)
      arguments.emplace_back("--digest");
    break;
  case StageKind::spider:
    break;
  }
  stages_.push_back(std::move(stage));
}

void Pipeline::mark_dead(const StageProcess& stage) noexcept {
  const auto mark = [](RingEnd& end, RingEnd& other) {
    for (auto state : {EndState::absent, EndState::attached})
      end.state.compare_exchange_strong(state, EndState::dead, std::memory_order_acq_rel);
    wake_peer(other.waiting);
  };
  const auto marks = [&](const std::vector<RingEnd*>& ends, const RingEnd& end) {
    return std::find(ends.begin(), ends.end(), &end) != ends.end();
  };
  for (const auto& ring : rings_) {
    auto& header = ring.header();
    if (marks(stage.outputs, header.producer))
      mark(header.producer, header.consumer);
    if (marks(stage.inputs, header.consumer))
      mark(header.consumer, header.producer);
  }
}

} // namespace orbweaver
