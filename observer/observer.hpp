// SPDX-License-Identifier: GPL-3.0-or-later
// The observer stage: reads its packet stream, meters flows, writes its flow stream. One thread.
#pragma once

#include "common/process/stage.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"
#include "observer/flow_meter.hpp"

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
ObserverResult observe(RecordReader& reader, RecordWriter& writer, const ChainSet& chains,
                       const FlowMeterOptions& options, const std::atomic<bool>& stop, Stage& stage);

/// How many flows half of the memory that is free now holds, shared by so many observers.
[[nodiscard]] std::uint64_t flows_that_fit(std::uint32_t state_bytes, unsigned observers);

} // namespace orbweaver
