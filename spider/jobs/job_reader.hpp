// SPDX-License-Identifier: GPL-3.0-or-later
// The jobs of a run, from a file or standard input, one after another: bad lines are named and counted, targets that
// were there before are passed over. Owned by the engine; one thread, and no call blocks on a pipe.
#pragma once

#include "spider/jobs/job_parser.hpp"
#include "spider/jobs/line_reader.hpp"
#include "spider/jobs/target_set.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace orbweaver {

struct JobReaderOptions {
  bool csv = false;       ///< lines are CSV, not NDJSON
  bool by_domain = false; ///< a job's target is its `domain`; else its `dip`
  bool by_either = false; ///< a job's target is its `dip`, or its `domain` where it has none
  std::uint64_t target_octets = std::numeric_limits<std::uint64_t>::max(); ///< for the targets that were there before
};

struct JobReaderCounters {
  std::uint64_t lines_read = 0; ///< empty ones left out
  std::uint64_t lines_bad = 0;
  std::uint64_t lines_duplicate = 0;
  std::uint64_t targets_forgotten = 0; ///< of the jobs, those whose targets found no room
  std::uint64_t jobs = 0;
};

/// Memory that outlives the reader, where there is some.
struct JobReaderMemory {
  TapeMemory tape;
  TargetSetMemory targets;
};

/// How far a reader has come: all that who follows needs besides that memory. Plain values.
struct JobReaderPlace {
  std::uint64_t octets; ///< of the input, up to the end of the last line
  std::uint64_t line;   ///< its number
  std::uint64_t targets_asked;
  JobReaderCounters counters;
};

class JobReader {
public:
  enum class Next {
    job,
    more, ///< of max_lines there was none: ask again, after a look at all else
    wait, ///< nothing is there now: wait until descriptor() can be read
    end,  ///< problem() says whether that is the end of the input
  };
  using BadLine = std::function<void(std::uint64_t line, const std::string& why)>;

  /// "-" is standard input. `bad_line` is told of each line that is no job, and of the first one from which on targets
  /// are no more remembered. Throws UsageError for what cannot be opened.
  JobReader(const std::string& path, const JobReaderOptions& options, BadLine bad_line,
            const JobReaderMemory& memory = {});

  /// Lines that one call looks through: bad ones may come faster than they are read, and for ever.
  static constexpr unsigned max_lines = 256;

  /// Gives the next job, its strings in the room of the last one's.
  Next next(Job& job);

  /// Where a follower goes on behind the job that was given last.
  [[nodiscard]] JobReaderPlace place() const noexcept;
  /// A follower will go on there, and no more before.
  void keep_from(const JobReaderPlace& place) noexcept { lines_.keep_from(place.octets); }
  /// Goes on there; before the first job, and in the memory that a predecessor left. Throws Error where that cannot be.
  void resume(const JobReaderPlace& place);

  [[nodiscard]] int descriptor() const noexcept { return lines_.descriptor(); }
  [[nodiscard]] const JobReaderCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t position_octets() const noexcept { return lines_.position_octets(); }
  [[nodiscard]] std::uint64_t size_octets() const noexcept { return lines_.size_octets(); }
  /// Why the input could not be read to its end, or empty.
  [[nodiscard]] const std::string& problem() const noexcept { return lines_.problem(); }

private:
  /// Whether the line is a job for a new target; throws BadJob.
  bool take(std::string_view line, Job& job);
  bool is_new(std::string_view target);

  LineReader lines_;
  JobParser parser_;
  TargetSet targets_;
  JobReaderOptions options_;
  BadLine bad_line_;
  JobReaderCounters counters_;
};

} // namespace orbweaver
