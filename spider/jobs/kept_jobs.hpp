// SPDX-License-Identifier: GPL-3.0-or-later
// What a spider of a supervised session leaves, should it die: how far it was in its input and in its ring, and what it
// had counted, in memory that outlives it (common/process/files/kept_memory.hpp). Each record that goes into the ring
// is bound to the progress that it makes: who follows sees by the ring which of the two last ones is true, ends the
// jobs under way as they are, and takes the job that comes next. One thread.
#pragma once

#include "common/stream/records/job_record.hpp"
#include "spider/jobs/job_reader.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace orbweaver {

/// How far a spider is once a certain record is in the ring. Plain values.
struct SpiderProgress {
  JobReaderPlace input;
  std::uint64_t jobs_finished;
  std::uint64_t jobs_broken;     ///< a spider died while they were under way
  std::uint64_t jobs_not_routed; ///< of those
  std::uint64_t members_bad;
  std::uint64_t plugin_failures;
  std::array<std::uint64_t, 5> states; ///< connections ended, by ConnectionState
};

/// A call of the plugin, for a job: what a spider may die of.
struct PluginCall {
  std::uint64_t job_id; ///< 0: none
  std::uint64_t line;   ///< of the job
  std::array<char, 32> name;
};

class KeptJobs {
public:
  /// In that memory, which may hold what a predecessor left. Throws Error.
  explicit KeptJobs(int fd);

  /// For a reader of jobs.
  [[nodiscard]] JobReaderMemory input() const noexcept;

  /// How far a predecessor was, of whose records those up to that place in the ring are there.
  [[nodiscard]] SpiderProgress left(std::uint64_t position) const noexcept;

  /// A record is about to be committed, whose end is at that place in the ring; then that has been done.
  void prepare(const SpiderProgress& progress, std::uint64_t position) noexcept;
  void done() noexcept;

  /// The plugin is called; and has come back.
  void begin_call(std::uint64_t job_id, std::uint64_t line, std::string_view name) noexcept;
  void end_call() noexcept { memory_->call.job_id = 0; }
  /// The call that a predecessor was in.
  [[nodiscard]] PluginCall call() const noexcept;

private:
  struct Slot {
    std::uint64_t position; ///< in the ring; `nowhere`: it is being written
    SpiderProgress progress;
  };
  struct Memory {
    std::uint64_t current; ///< the slot of the last record that is there
    std::array<Slot, 2> slots;
    PluginCall call;
    TapeState tape;
    TargetSetState targets;
  };

  int fd_;
  Memory* memory_;
  std::byte* tape_;
};

} // namespace orbweaver
