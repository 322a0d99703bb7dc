// SPDX-License-Identifier: GPL-3.0-or-later
// The connections that wait for their flow, found by their key, and in the order in which they came. Owned by the join;
// one thread.
#pragma once

#include "merger/join/join_key.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace orbweaver {

/// A connection of a job, as who gave it to the join knows it.
struct ConnectionRef {
  std::uint32_t job;
  std::uint32_t connection;
};

class WaitingList {
public:
  using Place = std::uint32_t;
  static constexpr Place none = std::numeric_limits<Place>::max();

  struct Connection {
    JoinKey key;
    std::uint64_t start_ns = 0;
    std::uint64_t stop_ns = 0;
    std::uint64_t give_up_s = 0; ///< packet clock at which it is missed
    ConnectionRef ref{};
    bool failed = false; ///< by an error of its socket

  private:
    friend class WaitingList;
    Place older = none, newer = none;        ///< of all
    Place previous = none, following = none; ///< of its hash chain
  };

  WaitingList() : chains_(4096, none) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  [[nodiscard]] const Connection& at(Place place) const noexcept { return connections_[place]; }
  /// The one that came first, or none.
  [[nodiscard]] Place oldest() const noexcept { return oldest_; }
  /// The one that came after that one, or none.
  [[nodiscard]] Place newer(Place place) const noexcept { return connections_[place].newer; }

  Place add(const Connection& connection);
  void remove(Place place) noexcept;

  /// Calls visit(Place) for each connection of that key; visit may remove that one.
  template <typename Visit>
  void for_each(const JoinKey& key, Visit&& visit) {
    for (auto place = chain_of(key); place != none;) {
      const auto following = connections_[place].following;
      if (connections_[place].key == key)
        visit(place);
      place = following;
    }
  }

private:
  [[nodiscard]] Place& chain_of(const JoinKey& key) noexcept { return chains_[key.hash() & (chains_.size() - 1)]; }
  void link(Place place) noexcept;
  void add_chains();

  std::vector<Connection> connections_;
  std::vector<Place> free_;
  std::vector<Place> chains_; ///< first of each
  Place oldest_ = none;
  Place newest_ = none;
  std::uint32_t size_ = 0;
};

} // namespace orbweaver
