// SPDX-License-Identifier: GPL-3.0-or-later
// What the spider tells the merger, as records. A full ring does not stop the event loop: records wait here, in their
// order, and the engine starts nothing new until they are gone, so that those under way bound how many wait. One
// thread.
#pragma once

#include "common/stream/job_record.hpp"
#include "common/stream/record_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

namespace orbweaver {

class JobOutput {
public:
  explicit JobOutput(RecordWriter& writer) noexcept : writer_(writer) {}

  /// The most that a job's or a connection's members may have.
  [[nodiscard]] std::size_t max_job_members() const noexcept { return writer_.max_record_bytes() - sizeof(JobRecord); }
  [[nodiscard]] std::size_t max_connection_members() const noexcept {
    return writer_.max_record_bytes() - sizeof(ConnectionRecord);
  }

  /// Throws Error for members that are longer.
  void job(std::uint64_t job_id, std::uint32_t connections, std::string_view members);
  /// `record` is filled in but for its header and members_octets; members are not longer.
  void connection(ConnectionRecord record, std::string_view members);

  /// Gives away what waits, as far as there is room, and lets the reader see it. To be called in every round.
  void flush() noexcept;
  [[nodiscard]] bool waiting() const noexcept { return !waiting_.empty(); }

private:
  template <typename Record>
  void write(Record& record, RecordKind kind, std::string_view members);

  RecordWriter& writer_;
  std::deque<std::vector<std::byte>> waiting_; ///< whole records, the oldest first
};

} // namespace orbweaver
