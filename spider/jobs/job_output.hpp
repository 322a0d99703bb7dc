// SPDX-License-Identifier: GPL-3.0-or-later
// What the spider tells the merger, as records. A full ring does not stop the event loop: records wait here, in their
// order, and the engine starts nothing new until they are gone, so that those under way bound how many wait. Where a
// spider can be followed, each is bound to the progress that it makes. One thread.
#pragma once

#include "common/stream/record_writer.hpp"
#include "common/stream/records/job_record.hpp"
#include "spider/jobs/kept_jobs.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

namespace orbweaver {

class JobOutput {
public:
  explicit JobOutput(RecordWriter& writer, KeptJobs* kept = nullptr) noexcept : writer_(writer), kept_(kept) {}

  /// The most that a job's or a connection's members may have.
  [[nodiscard]] std::size_t max_job_members() const noexcept { return writer_.max_record_bytes() - sizeof(JobRecord); }
  [[nodiscard]] std::size_t max_connection_members() const noexcept {
    return writer_.max_record_bytes() - sizeof(ConnectionRecord);
  }

  /// Throws Error for members that are longer. `progress`: how far the spider is with it.
  void job(std::uint64_t job_id, std::uint32_t connections, std::string_view members, const SpiderProgress& progress);
  /// `record` is filled in but for its header and members_octets; members are not longer.
  void connection(ConnectionRecord record, std::string_view members, const SpiderProgress& progress);
  /// Of the jobs up to that one those that are under way get no more connections.
  void no_more_connections(std::uint64_t job_id, const SpiderProgress& progress);
  /// How far the spider is without a record; nothing may wait.
  void note(const SpiderProgress& progress) noexcept;

  /// Gives away what waits, as far as there is room, and lets the reader see it. To be called in every round.
  void flush() noexcept;
  [[nodiscard]] bool waiting() const noexcept { return !waiting_.empty(); }

private:
  struct Waiting {
    std::vector<std::byte> record;
    SpiderProgress progress;
  };

  template <typename Record>
  void write(const Record& record, std::string_view members, const SpiderProgress& progress);
  void commit(std::byte* place, const RecordHeader& header, const SpiderProgress& progress) noexcept;

  RecordWriter& writer_;
  KeptJobs* kept_;
  std::deque<Waiting> waiting_; ///< the oldest first
};

} // namespace orbweaver
