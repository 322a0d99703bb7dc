// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/job_table.hpp"

namespace orbweaver {

namespace {

/// What a place may keep for the next job: a large body must not stay for ever.
constexpr std::size_t kept_octets = 4096;

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
