// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t housekeeping_ns = 100'000'000;

/// How long one quiet stream may hold up the others. Short against the time in which a ring fills.
constexpr std::chrono::milliseconds sleep_among_several{2};

} // namespace

Merger::Merger(std::vector<RecordReader> streams, Output& output, bool digest, Publish publish)
    : output_(output), wants_digest_(digest), publish_(std::move(publish)) {
  inputs_.reserve(streams.size());
  for (auto& stream : streams) {
    const auto& input = inputs_.emplace_back(std::move(stream));
    if (input.writer.max_line_bytes() > Output::buffer_bytes)
      throw Error(input.reader.name() + ": its field table gives lines of up to " +
                  std::to_string(input.writer.max_line_bytes()) + " octets, too long to print");
  }
}

bool Merger::run(const std::atomic<bool>& stop) {
  std::uint64_t last_housekeeping_ns = 0;
  const auto is_done = [](const Input& input) { return input.done; };
  while (!output_.failed() && !std::all_of(inputs_.begin(), inputs_.end(), is_done)) {
    const bool stopping = stop.load(std::memory_order_relaxed);
    std::size_t records = 0;
    for (auto& input : inputs_) {
      if (input.done)
        continue;
      const auto taken = take(input);
      if (taken == 0 && stopping)
        leave(input, Wait::stopped);
      records += taken;
    }
    if (records == 0 && !stopping)
      wait_for_one();
    if (const auto now = monotonic_ns(); now - last_housekeeping_ns >= housekeeping_ns) {
      last_housekeeping_ns = now;
      housekeep(now);
    }
  }
  close_ledger();
  return problems_.empty();
}

/// Handles one batch of records; returns how many there were.
std::size_t Merger::take(Input& input) noexcept {
  std::array<const RecordHeader*, 128> batch;
  const auto count = input.reader.peek(batch);
  for (std::size_t i = 0; i < count && !input.done; ++i)
    take_flow(input, batch[i]);
  input.reader.release();
  return count;
}

void Merger::take_flow(Input& input, const RecordHeader* record) noexcept {
  switch (record->kind) {
  case RecordKind::flow: {
    if (record->length != input.writer.record_bytes()) [[unlikely]] {
      input.reader.mark_damaged_at(record, "a flow of " + std::to_string(record->length) + " octets, its field table " +
                                               "says " + std::to_string(input.writer.record_bytes()));
      leave(input, Wait::damaged);
      return;
    }
    ++input.flows;
    ++counters_[MergerCounter::flows_received];
    char* line = output_.claim(input.writer.max_line_bytes());
    const char* end = input.writer.print(reinterpret_cast<const std::byte*>(record), line);
    if (wants_digest_)
      digest_.add({line, static_cast<std::size_t>(end - line - 1)});
    output_.commit(end);
    return;
  }
  case RecordKind::end:
    if (record->length == sizeof(EndRecord)) {
      leave(input, Wait::ended);
      return;
    }
    break;
  case RecordKind::tick:
  case RecordKind::loss:
    return;
  default:
    break;
  }
  input.reader.mark_damaged_at(record, "a record of kind " + std::to_string(static_cast<unsigned>(record->kind)) +
                                           " and " + std::to_string(record->length) + " octets among flows");
  leave(input, Wait::damaged);
}

/// Waits on one stream, each time another one: what comes in the others meanwhile is late by a short sleep at most.
void Merger::wait_for_one() {
  do
    next_to_wait_on_ = (next_to_wait_on_ + 1) % inputs_.size();
  while (inputs_[next_to_wait_on_].done);
  auto& input = inputs_[next_to_wait_on_];
  const std::atomic<bool> never{false}; // run() itself sees to stopping
  const bool alone = std::count_if(inputs_.begin(), inputs_.end(), [](const Input& i) { return !i.done; }) == 1;
  switch (const auto how = input.reader.wait(never, alone ? longest_sleep : sleep_among_several)) {
  case Wait::readable:
  case Wait::stopped:
    break;
  case Wait::quiet:
    if (output_.is_read_live())
      output_.flush();
    break;
  case Wait::ended:
  case Wait::cut_off:
  case Wait::damaged:
    leave(input, how);
    break;
  }
}

/// Nothing more is read from that stream.
void Merger::leave(Input& input, Wait how) {
  input.done = true;
  const auto flows = std::to_string(input.flows) + " flows until there";
  if (how == Wait::damaged)
    problems_.push_back(input.reader.damage() + "; " + flows);
  if (how == Wait::cut_off)
    problems_.push_back(input.reader.name() + ": cut off, it has no end record; " + flows);
  input.reader.close();
}

void Merger::housekeep(std::uint64_t now_ns) {
  if (output_.is_read_live())
    output_.flush();
  for (auto& input : inputs_)
    input.reader.housekeep(now_ns);
  counters_[MergerCounter::flows_written] = output_.flows_written();
  counters_[MergerCounter::octets_written] = output_.octets_written();
  counters_[MergerCounter::digest_low] = digest_.low;
  counters_[MergerCounter::digest_high] = digest_.high;
  publish_(counters_, now_ns);
}

void Merger::close_ledger() {
  if (!output_.finish())
    problems_.push_back(output_.failure());
  counters_[MergerCounter::flows_dropped] = counters_[MergerCounter::flows_received] - output_.flows_written();
  housekeep(monotonic_ns());
  for (auto& input : inputs_)
    input.reader.close();
}

} // namespace orbweaver
