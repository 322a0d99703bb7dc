// SPDX-License-Identifier: GPL-3.0-or-later
// The observer stage: reads its packet stream, meters flows, writes its flow stream. One thread.
#pragma once

#include "common/process/stage.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"
#include "observer/flows/flow_meter.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace orbweaver {

/// How an observer came to its end.
struct ObserverResult {
  bool complete = true;  ///< false: the input was damaged or cut off, or the output could not be written
  std::string problem;   ///< what was wrong, or empty
  std::string warning{}; ///< what is to know of an input that was complete, or empty
};

/// Runs an observer until its input ends, or `stop` is set; then all flows are flushed and the output is finished.
/// `stage` is given the counters (ObserverCounter) now and then.
/// With a kept table the flows outlive the process; what a predecessor left in it is given
/// out first, and what killed it twice (`takes_over`) goes to a file.
ObserverResult observe(RecordReader& reader, RecordWriter& writer, const ChainSet& chains,
                       const FlowMeterOptions& options, const std::atomic<bool>& stop, Stage& stage,
                       const KeptTable* kept = nullptr, const StageOptions& stage_options = {});

/// What an observer takes of memory where nobody says.
struct MemoryPlan {
  std::uint64_t table_octets;       ///< flow table, its index and timers
  std::uint64_t flow_memory_octets; ///< what flows hold of variable length
};

/// The plan where so much memory is left (memory_left()) for so many observers: half of a share for the table, up to an
/// eighth for flow memory; rings, the other stages and what the kernel keeps for them have the rest.
[[nodiscard]] MemoryPlan plan_memory(std::uint64_t left_octets, unsigned observers);

/// How many flows with so much chain state that many octets hold.
[[nodiscard]] std::uint64_t flows_that_fit(std::uint64_t memory_octets, std::uint32_t state_bytes);

} // namespace orbweaver
