// SPDX-License-Identifier: GPL-3.0-or-later
// The targets that were there before, each as a 64-bit hash (XXH3 under a random seed) in an open hash table that is
// between 3/8 and 3/4 full: 11 to 21 octets a target, 13.4 with 10 million (134 MB; 201 MB for the moment in which the
// table last grew). That two of 10 million targets have one hash, so that one is skipped, has a chance of 3 in a
// million. What it takes is bounded: beyond that, targets are no more remembered. Owned by the job reader; one thread.
//
// It may lie in memory that outlives the spider: a table of N places at an offset that is a multiple of its size, so
// that a larger one is filled beside it and takes its place in one step.
#pragma once

#include "common/error.hpp"
#include "common/memory_area.hpp"
#include "common/process/files/kept_memory.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string_view>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orbweaver {

/// What there is of a set besides its table. Plain values.
struct TargetSetState {
  std::uint64_t seed;
  std::uint64_t places; ///< of the table; 0: there is none yet
  std::uint64_t count;
  std::uint64_t forgotten;
  std::uint64_t is_full;               ///< it grows no more
  std::uint64_t asked;                 ///< targets that were new
  std::array<std::uint64_t, 8> latest; ///< hashes of the last of them
};

/// Memory that outlives the spider: the state, and the file in which tables lie from that offset on. `fd` -1: none.
struct TargetSetMemory {
  TargetSetState* state = nullptr;
  int fd = -1;
  std::uint64_t offset = 0;
};

class TargetSet {
public:
  /// Takes at most so many octets, while it grows too; a little in any case. Throws Error.
  explicit TargetSet(std::uint64_t max_octets = std::numeric_limits<std::uint64_t>::max(),
                     const TargetSetMemory& memory = {})
      : state_(memory.state != nullptr ? memory.state : &own_state_), memory_(memory), max_octets_(max_octets) {
    const bool is_left = state_->places != 0;
    constexpr std::uint64_t most_places = std::uint64_t{1} << 40;
    if (is_left &&
        (state_->places < fewest_places || (state_->places & (state_->places - 1)) != 0 ||
         state_->places > most_places || kept_octets(memory.fd) < memory.offset + 2 * octets_of(state_->places)))
      throw Error("the targets that a predecessor left do not fit into their memory");
    if (!is_left)
      state_->seed = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
    const auto places = is_left ? state_->places : fewest_places;
    table_ = table_of(places);
    state_->places = places;
  }

  TargetSet(const TargetSet&) = delete;
  TargetSet& operator=(const TargetSet&) = delete;

  /// Of those that a predecessor was asked about, only so many have become jobs: the others are new once more.
  void resume(std::uint64_t asked) noexcept {
    again_ = state_->asked > asked ? std::min<std::uint64_t>(state_->asked - asked, state_->latest.size()) : 0;
    for (std::size_t i = 0; i < again_; ++i)
      again_hashes_[i] = state_->latest[(state_->asked - 1 - i) % state_->latest.size()];
    state_->asked = asked;
  }

  /// Whether it is new, as far as is known; it is known from now on, but where there is no room for more.
  bool insert(std::string_view target) {
    std::uint64_t hash = XXH3_64bits_withSeed(target.data(), target.size(), state_->seed);
    hash += hash == 0; // 0: an empty place
    const std::size_t at = place_of(hash, state_->places);
    const bool is_known = hashes()[at] == hash;
    if (is_known && !is_asked_again(hash))
      return false;
    state_->latest[state_->asked % state_->latest.size()] = hash;
    in_order();
    ++state_->asked;
    in_order();
    if (is_known)
      return true;
    if (state_->is_full != 0 || ((state_->count + 1) * 4 > state_->places * 3 && !grow())) {
      ++state_->forgotten;
      return true;
    }
    hashes()[place_of(hash, state_->places)] = hash;
    ++state_->count;
    return true;
  }

  /// New targets for which there was no room: one of them that comes again is not noticed.
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return state_->forgotten; }
  [[nodiscard]] std::size_t size() const noexcept { return state_->count; }
  /// How often a target was new.
  [[nodiscard]] std::uint64_t asked() const noexcept { return state_->asked; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return table_.size(); }

private:
  static constexpr std::uint64_t fewest_places = 1024;

  [[nodiscard]] static std::uint64_t octets_of(std::uint64_t places) noexcept { return places * sizeof(std::uint64_t); }
  [[nodiscard]] std::uint64_t* hashes() const noexcept { return reinterpret_cast<std::uint64_t*>(table_.data()); }

  /// Where a hash is in a table of so many places, or the empty place that it would have.
  [[nodiscard]] std::size_t place_of(std::uint64_t hash, std::uint64_t places) const noexcept {
    const std::size_t mask = places - 1;
    std::size_t at = hash & mask;
    while (hashes()[at] != 0 && hashes()[at] != hash)
      at = (at + 1) & mask;
    return at;
  }

  [[nodiscard]] bool is_asked_again(std::uint64_t hash) noexcept {
    for (std::size_t i = 0; i < again_; ++i)
      if (again_hashes_[i] == hash) {
        again_hashes_[i] = again_hashes_[--again_];
        return true;
      }
    return false;
  }

  [[nodiscard]] MemoryArea table_of(std::uint64_t places) const {
    const auto octets = octets_of(places);
    if (memory_.fd < 0)
      return MemoryArea(octets, Pages::normal);
    if (kept_octets(memory_.fd) < memory_.offset + 2 * octets)
      size_kept_memory(memory_.fd, memory_.offset + 2 * octets);
    return {map_kept_memory(memory_.fd, memory_.offset + octets, octets), octets};
  }

  bool grow() {
    const std::uint64_t places = state_->places * 2;
    try {
      state_->is_full = octets_of(places) + octets_of(state_->places) > max_octets_;
      if (state_->is_full != 0)
        return false;
      auto larger = table_of(places);
      if (memory_.fd >= 0)
        larger.clear(larger.size()); // a predecessor may have died as it filled it
      const auto* const old = hashes();
      const auto old_places = state_->places;
      auto smaller = std::exchange(table_, std::move(larger));
      for (std::uint64_t i = 0; i < old_places; ++i)
        if (old[i] != 0)
          hashes()[place_of(old[i], places)] = old[i];
      in_order();
      state_->places = places;
      if (memory_.fd >= 0)
        smaller.clear(smaller.size());
    } catch (const Error&) {
      state_->is_full = 1;
    }
    return state_->is_full == 0;
  }

  TargetSetState own_state_{};
  TargetSetState* state_;
  TargetSetMemory memory_;
  std::uint64_t max_octets_;
  MemoryArea table_;
  std::array<std::uint64_t, 8> again_hashes_{};
  std::size_t again_ = 0; ///< of these
};

} // namespace orbweaver
