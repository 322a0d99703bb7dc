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

  /// Throws Error for members that the ring can never hold.
  void job(std::uint64_t job_id, std::uint32_t connections, std::string_view members);
  /// `record` is filled in but for its header and members_octets. Members that the ring can never hold are left out.
  void connection(ConnectionRecord record, std::string_view members);

  /// Gives away what waits, as far as there is room, and lets the reader see it. To be called in every round.
  void flush() noexcept;
  [[nodiscard]] bool waiting() const noexcept { return !waiting_.empty(); }
  /// Connection records whose members were left out.
  [[nodiscard]] std::uint64_t cut() const noexcept { return cut_; }

private:
  template <typename Record>
  void write(Record& record, RecordKind kind, std::string_view members);
  [[nodiscard]] bool fits(std::size_t fixed, std::string_view members) const noexcept {
    return fixed + members.size() <= writer_.max_record_bytes();
  }

  RecordWriter& writer_;
  std::deque<std::vector<std::byte>> waiting_; ///< whole records, the oldest first
  std::uint64_t cut_ = 0;
};

} // namespace orbweaver
