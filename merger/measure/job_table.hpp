// SPDX-License-Identifier: GPL-3.0-or-later
// The jobs under way: what the spider said of them and their connections, and the flows that were found. Places are
// used again, with their memory. Owned by the merger's measurement; one thread.
#pragma once

#include "common/stream/records/job_record.hpp"
#include "merger/follow/state_octets.hpp"
#include "merger/join/join.hpp"
#include "merger/rows/row.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace orbweaver {

/// A connection that has ended, and what came of its flow.
struct JobConnection {
  enum class Fate : std::uint8_t { waiting, joined, missed };
  ConnectionRecord record{};
  std::size_t members_at = 0; ///< in the job's text
  std::size_t flow_at = 0;    ///< joined: the flow's record, in the job's text
  std::uint32_t flow_octets = 0;
  std::size_t stream = 0; ///< joined: where the flow came from
  Fate fate = Fate::waiting;
  MissedCause cause = MissedCause::never_seen; ///< missed
  bool reversed = false;                       ///< joined: see JoinedFlow
  bool lossy = false;
};

struct Job {
  std::uint64_t id = 0;
  std::uint32_t expected = 0; ///< connections
  std::uint32_t decided = 0;  ///< connections that wait no longer
  bool unfinished = false;    ///< the spider will send no more of its connections
  std::size_t members_octets = 0;
  std::string text; ///< the job's members, then those of its connections, and flow records
  std::vector<JobConnection> connections;

  [[nodiscard]] std::string_view members() const { return std::string_view(text).substr(0, members_octets); }
  [[nodiscard]] std::string_view members(const JobConnection& connection) const {
    return std::string_view(text).substr(connection.members_at, connection.record.members_octets);
  }
  [[nodiscard]] const std::byte* flow(const JobConnection& connection) const {
    return reinterpret_cast<const std::byte*>(text.data() + connection.flow_at);
  }
  [[nodiscard]] RowView flow_row(const JobConnection& connection) const {
    return {flow(connection), connection.flow_octets};
  }
  [[nodiscard]] bool is_decided() const {
    return decided == connections.size() && (unfinished || connections.size() == expected);
  }
};

class JobTable {
public:
  using Place = std::uint32_t;
  static constexpr Place none = std::numeric_limits<Place>::max();

  /// A new job; none must be there under that number.
  Place add(std::uint64_t id, std::uint32_t connections, std::string_view members);
  [[nodiscard]] Place find(std::uint64_t id) const;
  [[nodiscard]] Job& at(Place place) { return places_[place].job; }
  [[nodiscard]] const Job& at(Place place) const { return places_[place].job; }
  void append(Place place, std::string_view text);
  void remove(Place place);

  [[nodiscard]] std::size_t size() const noexcept { return by_id_.size(); }
  /// Octets of all texts and connections.
  [[nodiscard]] std::uint64_t octets() const noexcept { return octets_; }
  /// The job that came first, or none; and the one that came after another one.
  [[nodiscard]] Place oldest() const noexcept { return oldest_; }
  [[nodiscard]] Place newer(Place place) const noexcept { return places_[place].newer; }

  /// Writes down all jobs, the oldest first.
  void save(StateWriter& state) const noexcept;
  /// The reverse, of a table that is new; with other places. What the texts hold is for the caller to check. Throws
  /// Error. `connections`: what a job may expect, or none.
  void restore(StateReader& state, std::uint32_t connections);
  /// What save() writes at most of jobs of so many octets().
  [[nodiscard]] static std::uint64_t most_octets(std::uint32_t jobs, std::uint64_t octets) noexcept;

private:
  struct Slot {
    Job job;
    Place older = none, newer = none;
  };

  std::deque<Slot> places_;
  std::vector<Place> free_;
  std::unordered_map<std::uint64_t, Place> by_id_;
  Place oldest_ = none, newest_ = none;
  std::uint64_t octets_ = 0;
};

} // namespace orbweaver
