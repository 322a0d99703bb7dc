// SPDX-License-Identifier: GPL-3.0-or-later
// The merger's loop: takes flows from any number of streams in turn, and prints each by its own stream's field table.
// One thread.
#pragma once

#include "common/counters.hpp"
#include "common/record_reader.hpp"
#include "merger/digest.hpp"
#include "merger/ndjson_writer.hpp"
#include "merger/output.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

class Merger {
public:
  /// Takes the local counters (places: MergerCounter) and the time of CLOCK_MONOTONIC.
  using Publish = std::function<void(std::span<const std::uint64_t> counters, std::uint64_t now_ns)>;

  /// `output` must outlive the merger. `publish` is called about every 100 ms, also while no flow comes.
  Merger(std::vector<RecordReader> streams, Output& output, bool digest, Publish publish);

  /// Reads all streams to their end and finishes the output. Once `stop` is set it waits for nothing more, but still
  /// writes what is there. Ends early where the output fails. True when every stream came to its end in order and every
  /// flow was written; else problems() says what happened.
  bool run(const std::atomic<bool>& stop);

  /// One sentence for each stream that was damaged or cut off, and for an output that failed.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }

  /// Places: MergerCounter. At the end, flows_received = flows_written + flows_dropped.
  [[nodiscard]] std::span<const std::uint64_t> counters() const noexcept { return counters_; }

private:
  struct Input {
    explicit Input(RecordReader&& stream) : reader(std::move(stream)), writer(reader.stream()) {}
    RecordReader reader;
    NdjsonWriter writer;
    std::uint64_t flows = 0;
    bool done = false;
  };

  std::size_t take(Input& input) noexcept;
  void take_flow(Input& input, const RecordHeader* record) noexcept;
  void wait_for_one();
  void leave(Input& input, Wait how);
  void housekeep(std::uint64_t now_ns);
  void close_ledger();

  std::vector<Input> inputs_;
  std::size_t next_to_wait_on_ = 0;
  Output& output_;
  bool wants_digest_;
  Publish publish_;
  Digest digest_;
  std::array<std::uint64_t, MergerCounter::count> counters_{};
  std::vector<std::string> problems_;
};

} // namespace orbweaver
