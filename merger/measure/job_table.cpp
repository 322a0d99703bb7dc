// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/measure/job_table.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

/// What a place may keep for the next job: a large body must not stay for ever.
constexpr std::size_t kept_octets = 4096;

/// A job and a connection as they are written down.
struct SavedJob {
  std::uint64_t id, members_octets, text_octets;
  std::uint32_t expected, connections;
};
struct SavedConnection {
  ConnectionRecord record;
  std::uint64_t members_at, flow_at;
  std::uint32_t flow_octets, stream;
  std::uint8_t fate, cause, reversed, lossy;
  std::uint32_t zero;
};
static_assert(sizeof(SavedConnection) <= sizeof(JobConnection));
static_assert(sizeof(SavedJob) <= sizeof(Job));

/// What a job takes besides its text.
std::uint64_t fixed_octets(const Job& job) noexcept {
  return sizeof(Job) + std::uint64_t{job.expected} * sizeof(JobConnection);
}

} // namespace

JobTable::Place JobTable::add(std::uint64_t id, std::uint32_t connections, std::string_view members) {
  Place place = 0;
  if (free_.empty()) {
    place = static_cast<Place>(places_.size());
    places_.emplace_back();
  } else {
    place = free_.back();
    free_.pop_back();
  }
  auto& slot = places_[place];
  slot.newer = none;
  slot.older = newest_;
  (newest_ == none ? oldest_ : places_[newest_].newer) = place;
  newest_ = place;
  auto& job = slot.job;
  job.id = id;
  job.expected = connections;
  job.decided = 0;
  job.unfinished = false;
  job.members_octets = members.size();
  job.text = members;
  octets_ += fixed_octets(job) + members.size();
  by_id_.emplace(id, place);
  return place;
}

JobTable::Place JobTable::find(std::uint64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? none : found->second;
}

void JobTable::append(Place place, std::string_view text) {
  places_[place].job.text += text;
  octets_ += text.size();
}

void JobTable::save(StateWriter& state) const noexcept {
  state.put(std::uint64_t{size()});
  for (auto place = oldest_; place != none; place = places_[place].newer) {
    const auto& job = places_[place].job;
    state.put(SavedJob{job.id, job.members_octets, job.text.size(), job.expected,
                       static_cast<std::uint32_t>(job.connections.size())});
    state.put(std::uint8_t{job.unfinished});
    state.put_octets(job.text.data(), job.text.size());
    for (const auto& made : job.connections)
      state.put(SavedConnection{made.record, made.members_at, made.flow_at, made.flow_octets,
                                static_cast<std::uint32_t>(made.stream), static_cast<std::uint8_t>(made.fate),
                                static_cast<std::uint8_t>(made.cause), made.reversed, made.lossy, 0});
  }
}

void JobTable::restore(StateReader& state, std::uint32_t connections) {
  std::string text;
  for (auto count = state.get<std::uint64_t>(); count > 0; --count) {
    const auto saved = state.get<SavedJob>();
    const bool unfinished = state.get_flag();
    StateReader::check(saved.expected == connections && saved.connections <= saved.expected &&
                           saved.members_octets <= saved.text_octets && find(saved.id) == none,
                       "a job comes twice, or is none");
    state.get_text(saved.text_octets, text);
    const auto place = add(saved.id, saved.expected, text.substr(0, saved.members_octets));
    append(place, std::string_view(text).substr(saved.members_octets));
    auto& job = at(place);
    job.unfinished = unfinished;
    const auto lies_within = [&](std::uint64_t at, std::uint64_t octets) {
      return at <= text.size() && octets <= text.size() - at;
    };
    for (std::uint32_t index = 0; index < saved.connections; ++index) {
      const auto made = state.get<SavedConnection>();
      const auto same = [&made](const auto& other) { return other.record.config == made.record.config; };
      StateReader::check(made.fate <= static_cast<std::uint8_t>(JobConnection::Fate::missed) &&
                             made.cause <= static_cast<std::uint8_t>(MissedCause::not_sent) && made.reversed <= 1 &&
                             made.lossy <= 1 && lies_within(made.members_at, made.record.members_octets) &&
                             lies_within(made.flow_at, made.flow_octets) && made.record.job_id == saved.id &&
                             made.record.config < saved.expected &&
                             std::none_of(job.connections.begin(), job.connections.end(), same),
                         "a connection is none");
      auto& connection = job.connections.emplace_back();
      connection.record = made.record;
      connection.members_at = made.members_at;
      connection.flow_at = made.flow_at;
      connection.flow_octets = made.flow_octets;
      connection.stream = made.stream;
      connection.fate = static_cast<JobConnection::Fate>(made.fate);
      connection.cause = static_cast<MissedCause>(made.cause);
      connection.reversed = made.reversed != 0;
      connection.lossy = made.lossy != 0;
      job.decided += connection.fate != JobConnection::Fate::waiting;
    }
    StateReader::check(!job.is_decided(), "a job is done that should be under way");
  }
}

std::uint64_t JobTable::most_octets(std::uint32_t jobs, std::uint64_t octets) noexcept {
  return sizeof(std::uint64_t) + jobs + octets; // of each, an octet more than it takes here
}

void JobTable::remove(Place place) {
  auto& slot = places_[place];
  (slot.older == none ? oldest_ : places_[slot.older].newer) = slot.newer;
  (slot.newer == none ? newest_ : places_[slot.newer].older) = slot.older;
  auto& job = slot.job;
  octets_ -= fixed_octets(job) + job.text.size();
  by_id_.erase(job.id);
  if (job.text.capacity() > kept_octets)
    job.text = std::string();
  job.connections.clear();
  free_.push_back(place);
}

} // namespace orbweaver
