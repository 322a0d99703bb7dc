// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/join/waiting_list.hpp"

namespace orbweaver {

WaitingList::Place WaitingList::add(const Connection& connection) {
  if (size_ >= chains_.size())
    add_chains();
  Place place = 0;
  if (free_.empty()) {
    place = static_cast<Place>(connections_.size());
    connections_.push_back(connection);
  } else {
    place = free_.back();
    free_.pop_back();
    connections_[place] = connection;
  }
  auto& added = connections_[place];
  added.newer = none;
  added.older = newest_;
  (newest_ == none ? oldest_ : connections_[newest_].newer) = place;
  newest_ = place;
  link(place);
  ++size_;
  return place;
}

void WaitingList::remove(Place place) noexcept {
  const auto& leaving = connections_[place];
  (leaving.older == none ? oldest_ : connections_[leaving.older].newer) = leaving.newer;
  (leaving.newer == none ? newest_ : connections_[leaving.newer].older) = leaving.older;
  (leaving.previous == none ? chain_of(leaving.key) : connections_[leaving.previous].following) = leaving.following;
  if (leaving.following != none)
    connections_[leaving.following].previous = leaving.previous;
  free_.push_back(place);
  --size_;
}

void WaitingList::link(Place place) noexcept {
  auto& first = chain_of(connections_[place].key);
  connections_[place].previous = none;
  connections_[place].following = first;
  if (first != none)
    connections_[first].previous = place;
  first = place;
}

/// Twice as many, so that chains stay short.
void WaitingList::add_chains() {
  chains_.assign(chains_.size() * 2, none);
  for (auto place = oldest_; place != none; place = connections_[place].newer)
    link(place);
}

} // namespace orbweaver
