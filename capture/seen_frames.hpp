// SPDX-License-Identifier: GPL-3.0-or-later
// The frames of the last milliseconds, for captures that have frames twice, as of a mirror port that sees both ends of
// a link: the same octets on the same link type, at most so long after or before a frame that was kept. Frames are
// remembered by 128 bits of a hash with a secret seed. Bounded: where more frames come in that time than it remembers,
// the oldest is forgotten. Capture owns one and uses it on its thread.
#pragma once

#include "capture/sources/source.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbweaver {

class SeenFrames {
public:
  static constexpr std::size_t usual_most = std::size_t{1} << 20;

  /// `most`: a power of two. Memory is taken as it is used.
  SeenFrames(std::uint64_t window_ns, std::uint64_t seed, std::size_t most = usual_most);

  /// Whether the same frame was kept within the window; else it is kept itself.
  [[nodiscard]] bool has(const Frame& frame) noexcept;

private:
  static constexpr std::uint32_t nil = 0xffff'ffff;

  struct Seen {
    std::uint64_t low, high; ///< of the hash
    std::uint64_t time_ns;
    std::uint32_t next; ///< in its bucket
  };
  [[nodiscard]] std::uint32_t& bucket_of(std::uint64_t hash) noexcept { return buckets_[hash & (buckets_.size() - 1)]; }
  void forget_oldest() noexcept;

  std::uint64_t window_ns_;
  std::uint64_t seed_;
  std::size_t most_;
  std::vector<Seen> seen_;             ///< places are taken in turn, so that the oldest is at tail_
  std::vector<std::uint32_t> buckets_; ///< first place of each
  std::uint64_t head_ = 0, tail_ = 0;  ///< ever kept, ever forgotten
};

/// The longest time that can be asked for: a minute.
inline constexpr std::uint64_t max_deduplicate_ms = 60'000;

} // namespace orbweaver
