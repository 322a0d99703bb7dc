// SPDX-License-Identifier: GPL-3.0-or-later
// The targets that were there before, each as a 64-bit hash (XXH3 under a random seed) in an open hash table that is
// between 3/8 and 3/4 full: 11 to 21 octets a target, 13.4 with 10 million (134 MB; 201 MB for the moment in which the
// table last grew). That two of 10 million targets have one hash, so that one is skipped, has a chance of 3 in a
// million. What it takes is bounded: beyond that, targets are no more remembered. Owned by the job reader; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orbweaver {

class TargetSet {
public:
  /// Takes at most so many octets, while it grows too; a little in any case.
  explicit TargetSet(std::uint64_t max_octets = std::numeric_limits<std::uint64_t>::max()) : max_octets_(max_octets) {}

  /// Whether it is new, as far as is known; it is known from now on, but where there is no room for more.
  bool insert(std::string_view target) {
    std::uint64_t hash = XXH3_64bits_withSeed(target.data(), target.size(), seed_);
    hash += hash == 0; // 0: an empty place
    const std::size_t at = place_of(hash);
    if (hashes_[at] == hash)
      return false;
    if (full_ || ((count_ + 1) * 4 > hashes_.size() * 3 && !grow())) {
      ++forgotten_;
      return true;
    }
    hashes_[place_of(hash)] = hash;
    ++count_;
    return true;
  }

  /// New targets for which there was no room: one of them that comes again is not noticed.
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return hashes_.capacity() * sizeof(std::uint64_t); }

private:
  /// Where a hash is, or the empty place that it would have.
  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept {
    const std::size_t mask = hashes_.size() - 1;
    std::size_t at = hash & mask;
    while (hashes_[at] != 0 && hashes_[at] != hash)
      at = (at + 1) & mask;
    return at;
  }

  bool grow() {
    const std::uint64_t both = std::uint64_t{hashes_.size()} * 3 * sizeof hashes_[0];
    try {
      full_ = both > max_octets_;
      if (full_)
        return false;
      const auto old = std::exchange(hashes_, std::vector<std::uint64_t>(hashes_.size() * 2));
      for (const auto hash : old)
        if (hash != 0)
          hashes_[place_of(hash)] = hash;
    } catch (const std::bad_alloc&) {
      full_ = true;
    }
    return !full_;
  }

  std::uint64_t seed_ = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
  std::vector<std::uint64_t> hashes_ = std::vector<std::uint64_t>(1024);
  std::size_t count_ = 0;
  std::uint64_t max_octets_;
  std::uint64_t forgotten_ = 0;
  bool full_ = false; ///< it grows no more
};

} // namespace orbweaver
