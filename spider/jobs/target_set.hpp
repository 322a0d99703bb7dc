// SPDX-License-Identifier: GPL-3.0-or-later
// The targets that were there before, each as a 64-bit hash (XXH3 under a random seed) in an open hash table that is
// between 3/8 and 3/4 full: 11 to 21 octets a target, 13.4 with 10 million (134 MB; 201 MB for the moment in which the
// table last grew). That two of 10 million targets have one hash, so that one is skipped, has a chance of 3 in a
// million. Owned by the job reader; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orbweaver {

class TargetSet {
public:
  /// Whether it is new; it is known from now on.
  bool insert(std::string_view target) {
    std::uint64_t hash = XXH3_64bits_withSeed(target.data(), target.size(), seed_);
    hash += hash == 0; // 0: an empty place
    if (!place(hash))
      return false;
    if (++count_ * 4 > hashes_.size() * 3)
      grow();
    return true;
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return hashes_.capacity() * sizeof(std::uint64_t); }

private:
  bool place(std::uint64_t hash) noexcept {
    const std::size_t mask = hashes_.size() - 1;
    std::size_t at = hash & mask;
    for (; hashes_[at] != 0; at = (at + 1) & mask)
      if (hashes_[at] == hash)
        return false;
    hashes_[at] = hash;
    return true;
  }

  void grow() {
    const auto old = std::exchange(hashes_, std::vector<std::uint64_t>(hashes_.size() * 2));
    for (const auto hash : old)
      if (hash != 0)
        place(hash);
  }

  std::uint64_t seed_ = std::uint64_t{std::random_device()()} << 32 | std::random_device()();
  std::vector<std::uint64_t> hashes_ = std::vector<std::uint64_t>(1024);
  std::size_t count_ = 0;
};

} // namespace orbweaver
