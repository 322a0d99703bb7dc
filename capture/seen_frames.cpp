// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/seen_frames.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <utility>

namespace orbweaver {
namespace {

std::uint64_t between(std::uint64_t a, std::uint64_t b) noexcept {
  return a > b ? a - b : b - a;
}

} // namespace

SeenFrames::SeenFrames(std::uint64_t window_ns, std::uint64_t seed, std::size_t most)
    : window_ns_(window_ns), seed_(seed), most_(most), buckets_(most, nil) {
  seen_.reserve(most);
}

bool SeenFrames::has(const Frame& frame) noexcept {
  // The link type and the wire length are of the frame as its octets are.
  const std::uint64_t beside = std::uint64_t{frame.wire_length} << 8 | static_cast<std::uint8_t>(frame.link);
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(frame.data, frame.captured_length, seed_ ^ beside * 0x9e3779b97f4a7c15);
  while (tail_ != head_ && frame.time_ns > seen_[tail_ & (most_ - 1)].time_ns &&
         frame.time_ns - seen_[tail_ & (most_ - 1)].time_ns > window_ns_)
    forget_oldest();
  for (std::uint32_t place = bucket_of(hash.low64); place != nil; place = seen_[place].next)
    if (const Seen& seen = seen_[place];
        seen.low == hash.low64 && seen.high == hash.high64 && between(seen.time_ns, frame.time_ns) <= window_ns_)
      return true;
  if (head_ - tail_ == most_)
    forget_oldest();
  const auto place = static_cast<std::uint32_t>(head_++ & (most_ - 1));
  const Seen kept{hash.low64, hash.high64, frame.time_ns, std::exchange(bucket_of(hash.low64), place)};
  if (place == seen_.size())
    seen_.push_back(kept);
  else
    seen_[place] = kept;
  return false;
}

void SeenFrames::forget_oldest() noexcept {
  const auto place = static_cast<std::uint32_t>(tail_++ & (most_ - 1));
  std::uint32_t* link = &bucket_of(seen_[place].low);
  while (*link != place)
    link = &seen_[*link].next;
  *link = seen_[place].next;
}

} // namespace orbweaver
