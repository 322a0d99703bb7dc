// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/stream_loop.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t housekeeping_ns = 100'000'000;

/// How long one quiet stream may hold up the others. Short against the time in which a ring fills.
constexpr std::chrono::milliseconds sleep_among_several{2};

} // namespace

StreamLoop::StreamLoop(std::vector<RecordReader> streams) {
  inputs_.reserve(streams.size());
  for (auto& stream : streams)
    inputs_.emplace_back(std::move(stream));
}

void StreamLoop::run(StreamSink& sink, const std::atomic<bool>& stop) {
  std::uint64_t last_housekeeping_ns = 0;
  const auto is_done = [](const Input& input) { return input.done; };
  while (!sink.failed() && !std::all_of(inputs_.begin(), inputs_.end(), is_done)) {
    const bool stopping = stop.load(std::memory_order_relaxed);
    std::size_t records = 0;
    bool passed_over = false;
    for (std::size_t stream = 0; stream < inputs_.size(); ++stream) {
      if (inputs_[stream].done || inputs_[stream].held)
        continue;
      if (!sink.is_due(stream)) {
        passed_over = true;
        continue;
      }
      const auto taken = take(stream, sink);
      if (taken == 0 && stopping && !inputs_[stream].held)
        leave(stream, Wait::stopped, sink);
      records += taken;
    }
    if (!let_go(sink) && records == 0 && !stopping && !passed_over)
      wait_for_one(sink);
    settle(sink);
    const auto now = monotonic_ns();
    duty_.look(now);
    if (now - last_housekeeping_ns >= housekeeping_ns) {
      last_housekeeping_ns = now;
      beat(now);
      sink.housekeep(now);
    }
  }
}

/// Handles one batch of records; returns how many there were.
std::size_t StreamLoop::take(std::size_t stream, StreamSink& sink) {
  auto& input = inputs_[stream];
  auto& reader = input.reader;
  std::array<const RecordHeader*, 128> batch;
  const auto count =
      reader.peek_while<const RecordHeader>(batch, [&](const RecordHeader& header, const RecordHeader* record) {
        if (header.kind != RecordKind::tick) [[likely]]
          return true;
        return header.length != sizeof(TickRecord) ||
               !holds(input, reinterpret_cast<const TickRecord*>(record)->second);
      });
  const bool ends = count > 0 && batch[count - 1]->kind == RecordKind::end; // nothing comes after it
  const bool ends_well = ends && batch[count - 1]->length == sizeof(EndRecord);
  const auto others = std::span(batch).first(count - ends_well);
  std::string why;
  const auto taken = sink.take(stream, others, why);
  if (taken < others.size()) {
    reader.mark_damaged_at(others[taken], why);
    leave(stream, Wait::damaged, sink);
  } else if (ends_well) {
    if (auto warning = reader.warning_of(reinterpret_cast<const EndRecord&>(*batch[count - 1])); !warning.empty())
      warnings_.push_back(std::move(warning));
    leave(stream, Wait::ended, sink);
  }
  return count;
}

/// Gives up what was taken where there is much of it, and the streams that have ended. Only between two rounds, so that
/// who follows goes on in the same order.
void StreamLoop::settle(StreamSink& sink) {
  bool any_leaves = false, is_due = false, is_urgent = false;
  for (const auto& input : inputs_) {
    any_leaves = any_leaves || input.leaves;
    is_due = is_due || input.reader.is_release_due();
    is_urgent = is_urgent || input.reader.is_release_urgent();
  }
  if (!any_leaves) {
    if (is_due)
      give_back(sink, is_urgent);
    return;
  }
  sink.secure();
  for (auto& input : inputs_)
    if (std::exchange(input.leaves, false))
      input.reader.close();
    else if (!input.done)
      input.reader.give_back();
}

/// Gives up in all rings what was taken, where the sink may be secured.
bool StreamLoop::give_back(StreamSink& sink, bool urgent) {
  if (!sink.may_secure(urgent))
    return false;
  sink.secure();
  for (auto& input : inputs_)
    if (!input.done)
      input.reader.give_back();
  return true;
}

/// Once all streams that go on are held, they go on to where they are held next. Whether any does.
bool StreamLoop::let_go(StreamSink& sink) {
  std::uint64_t least_s = UINT64_MAX;
  bool any = false;
  for (const auto& input : inputs_) {
    if (input.done)
      continue;
    if (!input.held)
      return false;
    any = true;
    least_s = std::min(least_s, input.held_at_s);
  }
  if (!any)
    return false;
  hold_at(sink.all_held(least_s));
  for (auto& input : inputs_)
    input.held = input.held && input.held_at_s > hold_at_s_ && input.held_at_s > least_s;
  return true;
}

void StreamLoop::resume(std::size_t stream, Place place) {
  auto& input = inputs_[stream];
  if (!input.reader.resume_at(place.position))
    throw Error(input.reader.name() + ": what a merger left of it does not fit: it was at " +
                std::to_string(place.position));
  input.done = place.done;
}

/// Waits on one stream, each time another one: what comes in the others meanwhile is late by a short sleep at most.
void StreamLoop::wait_for_one(StreamSink& sink) {
  const auto waits = [](const Input& input) { return !input.done && !input.held; };
  const auto open = std::count_if(inputs_.begin(), inputs_.end(), waits);
  if (open == 0)
    return;
  do
    next_to_wait_on_ = (next_to_wait_on_ + 1) % inputs_.size();
  while (!waits(inputs_[next_to_wait_on_]));
  const std::atomic<bool> never{false}; // run() itself sees to stopping
  auto& reader = inputs_[next_to_wait_on_].reader;
  if (reader.has_unreleased() && !sink.holds_back())
    give_back(sink, false);
  const auto sleep = open == 1 ? longest_sleep : sleep_among_several;
  switch (const auto how = reader.wait(never, sleep, false)) {
  case Wait::readable:
  case Wait::stopped:
    break;
  case Wait::quiet:
    sink.quiet();
    break;
  case Wait::ended:
  case Wait::cut_off:
  case Wait::damaged:
    leave(next_to_wait_on_, how, sink);
    break;
  }
}

/// Nothing more is read from that stream.
void StreamLoop::leave(std::size_t stream, Wait how, StreamSink& sink) {
  auto& input = inputs_[stream];
  input.done = true;
  input.held = false;
  if (how == Wait::damaged)
    problems_.push_back(input.reader.damage() + "; " + sink.taken(stream) + " until there");
  if (how == Wait::cut_off)
    problems_.push_back(input.reader.name() + ": cut off, it has no end record; " + sink.taken(stream) +
                        " until there");
  input.leaves = true;
  sink.ended(stream, how != Wait::damaged && how != Wait::cut_off);
}

void StreamLoop::beat(std::uint64_t now_ns) noexcept {
  for (auto& input : inputs_)
    input.reader.housekeep(now_ns);
}

void StreamLoop::close() {
  beat(monotonic_ns());
  for (auto& input : inputs_)
    input.reader.close();
}

} // namespace orbweaver
