// SPDX-License-Identifier: GPL-3.0-or-later
// The passive merger: prints every flow of any number of streams by its own stream's field table. One thread.
#pragma once

#include "common/process/counters.hpp"
#include "common/stream/record_reader.hpp"
#include "merger/digest.hpp"
#include "merger/sinks/ndjson_writer.hpp"
#include "merger/sinks/output.hpp"
#include "merger/stream_loop.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// Takes the local counters (places: MergerCounter) and the time of CLOCK_MONOTONIC.
using PublishCounters = std::function<void(std::span<const std::uint64_t> counters, std::uint64_t now_ns)>;

class Merger final : private StreamSink {
public:
  /// `output` must outlive the merger. `publish` is called about every 100 ms, also while no flow comes.
  Merger(std::vector<RecordReader> streams, Output& output, bool digest, PublishCounters publish);

  /// Reads all streams to their end and finishes the output. Once `stop` is set it waits for nothing more, but still
  /// writes what is there. Ends early where the output fails. True when every stream came to its end in order and every
  /// flow was written; else problems() says what happened.
  bool run(const std::atomic<bool>& stop);

  /// One sentence for each stream that was damaged or cut off, and for an output that failed.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// As StreamLoop::warnings().
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return loop_.warnings(); }

  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }

  /// Places: MergerCounter. At the end, flows_received = flows_written + flows_dropped.
  [[nodiscard]] std::span<const std::uint64_t> counters() const noexcept { return counters_; }

private:
  /// How a stream's flows are printed, and how many there were.
  struct Input {
    explicit Input(const StreamHeader& stream) : writer(stream) {}
    NdjsonWriter writer;
    std::uint64_t flows = 0;
  };

  std::size_t take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) override;
  [[nodiscard]] std::string taken(std::size_t stream) const override;
  [[nodiscard]] bool failed() const override { return output_.failed(); }
  void quiet() override;
  void housekeep(std::uint64_t now_ns) override;

  StreamLoop loop_;
  std::vector<Input> inputs_;
  Output& output_;
  bool wants_digest_;
  PublishCounters publish_;
  Digest digest_;
  std::array<std::uint64_t, MergerCounter::count> counters_{};
  std::vector<std::string> problems_;
};

} // namespace orbweaver
