// SPDX-License-Identifier: GPL-3.0-or-later
// The passive merger: writes every row of any number of streams, flows and events, by its own stream's description. One
// thread.
#pragma once

#include "common/process/counters.hpp"
#include "common/stream/record_reader.hpp"
#include "merger/follow/checkpoint.hpp"
#include "merger/rotation.hpp"
#include "merger/rows/digest.hpp"
#include "merger/rows/row.hpp"
#include "merger/rows/row_digest.hpp"
#include "merger/sinks/sink.hpp"
#include "merger/stream_loop.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// Takes the local counters (places: MergerCounter) and the time of CLOCK_MONOTONIC.
using PublishCounters = std::function<void(std::span<const std::uint64_t> counters, std::uint64_t now_ns)>;

class Merger final : private StreamSink {
public:
  /// `sink` must outlive the merger, and `rotation`, which is there where the sink writes one file after another and
  /// knows so many streams. `publish` is called about every 100 ms, also while no flow comes. Throws what
  /// Sink::add_table() throws.
  /// With checkpoints it may be followed by another one: it goes on where a predecessor stopped, whose marks `sink` was
  /// opened with, if the sink can. What it died of goes to `poison_fd` (-1: nowhere).
  Merger(std::vector<RecordReader> streams, Sink& sink, bool digest, PublishCounters publish,
         Rotation* rotation = nullptr, Checkpoints* checkpoints = nullptr, int poison_fd = -1);

  /// Reads all streams to their end and finishes the sink. Once `stop` is set it waits for nothing more, but still
  /// writes what is there. Ends early where the sink fails. True when every stream came to its end in order and every
  /// row was written; else problems() says what happened.
  bool run(const std::atomic<bool>& stop);

  /// Tells how far it is, and that it lives: for where the sink waits, too.
  void tell(std::uint64_t now_ns);

  /// Whether another one can follow it.
  [[nodiscard]] bool can_be_followed() const noexcept { return checkpoints_ != nullptr; }
  /// Says how far it is while it completes files: FileSeries::note_by().
  void note();

  /// One sentence for each stream that was damaged or cut off, and for a sink that failed.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// As StreamLoop::warnings().
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return loop_.warnings(); }

  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }

  /// Places: MergerCounter. At the end, flows_received = flows_written + flows_dropped, and so for events.
  [[nodiscard]] std::span<const std::uint64_t> counters() const noexcept { return counters_; }

private:
  /// A stream's rows, how they are written, and how many there were.
  struct Input {
    struct Table {
      std::size_t in_sink;
      RowDigest digest;
      std::uint64_t rows = 0;
    };
    StreamRows rows;
    std::vector<Table> tables;
    std::array<std::uint32_t, 2> packets{}; ///< where a flow's packets stand in its row; 0: nowhere
    std::uint64_t taken = 0;                ///< records, of any kind
  };
  /// Whether mergers died of that record twice; then it is given out.
  bool steps_over(std::size_t stream, const RecordHeader& header, std::uint64_t number);

  std::size_t take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) override;
  [[nodiscard]] std::string taken(std::size_t stream) const override;
  [[nodiscard]] bool failed() const override { return sink_.failed() || (rotation_ && !rotation_->failure().empty()); }
  std::uint64_t all_held(std::uint64_t second) override;
  void secure() override;
  [[nodiscard]] bool holds_back() const noexcept override { return checkpoints_ && !sink_.is_due(); }
  void quiet() override;
  void housekeep(std::uint64_t now_ns) override;

  void hand_on();
  void take_for_ledger(std::size_t stream, const RecordHeader& header);
  void look_for_boundary();
  bool complete(const FileSpan& span, bool has_next);
  bool do_completion();

  StreamLoop loop_;
  std::vector<Input> inputs_;
  Sink& sink_;
  Rotation* rotation_;
  std::uint64_t octets_before_ = 0; ///< written before the file at work
  Completion completion_{};
  bool wants_secured_ = false; ///< something that should not be forgotten
  bool wants_digest_;
  Checkpoints* checkpoints_; ///< nullptr: there are none
  int poison_fd_;
  std::vector<OutputMark> marks_;
  PublishCounters publish_;
  Digest digest_;
  std::array<std::uint64_t, MergerCounter::count> counters_{};
  std::vector<std::string> problems_;
};

} // namespace orbweaver
