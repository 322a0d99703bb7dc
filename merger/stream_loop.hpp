// SPDX-License-Identifier: GPL-3.0-or-later
// Reads any number of streams in turn, batch by batch, and hands their records to one sink, until all have ended.
// Owned by the merger; one thread.
#pragma once

#include "common/process/duty_cycle.hpp"
#include "common/stream/record_reader.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// What the records go to. Streams have the numbers of their places in the loop's list.
class StreamSink {
public:
  virtual ~StreamSink() = default;

  /// Whether that stream's next batch is wanted now.
  [[nodiscard]] virtual bool is_due(std::size_t stream) noexcept {
    static_cast<void>(stream);
    return true;
  }

  /// Takes a batch, without end records; an empty one says that the stream has nothing now. Returns how many records
  /// it took: where that is fewer, the next one is damaged, and `why` says what it is.
  virtual std::size_t take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) = 0;

  /// What was taken of all streams is about to be given up in the rings: where a follower goes on is noted here, since
  /// it cannot go further back. Between batches.
  virtual void secure() {}

  /// Whether what was taken is better secured later, now that nothing comes: until it has to be, no room is given back.
  [[nodiscard]] virtual bool holds_back() const noexcept { return false; }

  /// Whether it may be called now; else nothing is given up, and it is asked again. `urgent`: a ring is half full of
  /// what was taken.
  virtual bool may_secure(bool urgent) {
    static_cast<void>(urgent);
    return true;
  }

  /// Nothing more comes from that stream. `whole`: not because it was damaged or cut off. Before it is secured.
  virtual void ended(std::size_t stream, bool whole) {
    static_cast<void>(stream);
    static_cast<void>(whole);
  }

  /// What of that stream was taken, for the sentence that names its damage: "12 flows".
  [[nodiscard]] virtual std::string taken(std::size_t stream) const = 0;

  /// Whether going on is of no use.
  [[nodiscard]] virtual bool failed() const = 0;

  /// Every stream that goes on is held (hold_at()): the least of their clocks is to read `second`. Says where they are
  /// held next, beyond it.
  virtual std::uint64_t all_held(std::uint64_t second) {
    static_cast<void>(second);
    return UINT64_MAX;
  }

  /// Nothing comes: what waits in a buffer should go to who reads it.
  virtual void quiet() = 0;

  /// About every 100 ms, also while nothing comes.
  virtual void housekeep(std::uint64_t now_ns) = 0;
};

class StreamLoop {
public:
  explicit StreamLoop(std::vector<RecordReader> streams);

  /// Reads all streams to their end. Once `stop` is set it waits for nothing more, but still takes what is there.
  void run(StreamSink& sink, const std::atomic<bool>& stop);

  /// A stream whose packet clock is to read more than this is not read on until all are there, or have ended. Which of
  /// its records come before is exact: those before the tick.
  void hold_at(std::uint64_t second) noexcept { hold_at_s_ = second; }

  /// Tells the writers that nobody reads their streams any more.
  void close();

  [[nodiscard]] std::size_t size() const noexcept { return inputs_.size(); }
  [[nodiscard]] const DutyCycle& duty() const noexcept { return duty_; }
  [[nodiscard]] const RecordReader& reader(std::size_t stream) const { return inputs_[stream].reader; }

  /// Where a stream is, and whether it has ended.
  struct Place {
    std::uint64_t position;
    bool done;
  };
  [[nodiscard]] Place place(std::size_t stream) const noexcept {
    return {inputs_[stream].reader.position(), inputs_[stream].done};
  }
  /// Begins a stream there; before run(). Throws Error where the stream has no such place any more.
  void resume(std::size_t stream, Place place);

  /// What a predecessor had to say of its streams; before run().
  void say_again(std::vector<std::string> problems, std::vector<std::string> warnings) {
    problems_ = std::move(problems);
    warnings_ = std::move(warnings);
  }

  /// A sign of life to those who write the streams.
  void beat(std::uint64_t now_ns) noexcept;

  /// One sentence for each stream that was damaged or cut off.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// One sentence for each stream that came to its end in order, but is not all of what was to be read.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return warnings_; }

private:
  struct Input {
    explicit Input(RecordReader&& stream) : reader(std::move(stream)) {}
    RecordReader reader;
    bool done = false;
    bool leaves = false;         ///< it has ended, and its reader is to be closed
    bool held = false;           ///< its next record is a tick of
    std::uint64_t held_at_s = 0; ///< this second, which is not to be read yet
  };

  std::size_t take(std::size_t stream, StreamSink& sink);
  /// Whether a stream is held before that tick.
  bool holds(Input& input, std::uint64_t second) const noexcept {
    input.held = second > hold_at_s_;
    input.held_at_s = second;
    return input.held;
  }
  bool let_go(StreamSink& sink);
  void settle(StreamSink& sink);
  bool give_back(StreamSink& sink, bool urgent);
  void wait_for_one(StreamSink& sink);
  void leave(std::size_t stream, Wait how, StreamSink& sink);

  std::vector<Input> inputs_;
  std::size_t next_to_wait_on_ = 0;
  std::uint64_t hold_at_s_ = UINT64_MAX;
  DutyCycle duty_;
  std::vector<std::string> problems_;
  std::vector<std::string> warnings_;
};

} // namespace orbweaver
