// SPDX-License-Identifier: GPL-3.0-or-later
// A ring as it lies in shared memory: one producer, one consumer, records of any length in a power-of-two area.
// Two indices count octets for ever; an index modulo the capacity is a place in the area. A record never wraps: where
// it would, a padding record fills the area up to its end. Offsets only, so that every process maps it where it likes.
#pragma once

#include "common/stream/record.hpp"
#include "common/stream/ring/shared_memory.hpp"
#include "common/stream/stream_header.hpp"
#include "common/system/process_mark.hpp"

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

namespace orbweaver {

inline constexpr std::size_t cache_line = 64;

/// The life of one end of a ring.
enum class EndState : std::uint32_t {
  absent = 0,   ///< nobody has attached yet
  attached = 1, ///< at work
  finished = 2, ///< came to its end in order
  dead = 3,     ///< its process died; set by whoever noticed
};

/// One end of a ring. Written by that end alone, but for `state` = dead and the clearing of `waiting`.
struct RingEnd {
  /// Octets published (producer) or given back (consumer) since the ring was made; a line of its own.
  alignas(cache_line) std::atomic<std::uint64_t> index;
  /// Futex word: 1 while this end sleeps; the other end sets 0 and wakes it.
  alignas(cache_line) std::atomic<std::uint32_t> waiting;
  std::atomic<EndState> state;
  ProcessMark process;
  std::atomic<std::uint64_t> heartbeat_ns; ///< CLOCK_MONOTONIC when it last did its housekeeping
  std::atomic<std::uint64_t> records;      ///< written or read, ticks and the like included
  std::atomic<std::uint64_t> dropped;      ///< producer: packets lost because the ring was full
  /// Producer: up to here records are whole, published or not, where it says so (RecordWriter::keep): a successor goes
  /// on behind them.
  std::atomic<std::uint64_t> kept;
  /// Producer: what it has counted. Of two, that is good whose index is the one that is published; the other is written
  /// before it is, so that there always is one, whenever the producer dies.
  struct Count {
    std::atomic<std::uint64_t> index;
    std::atomic<std::uint64_t> records; ///< up to there, of any kind
    std::atomic<std::uint64_t> notices; ///< of them those that are no packets
  };
  alignas(cache_line) std::array<Count, 2> counts;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free && std::atomic<EndState>::is_always_lock_free);

/// At offset 0 of the segment. The creator fills it and stores `magic` last (release); whoever attaches loads it first
/// (acquire), then version, capacity and layout, each once: the other end may change them at any time, so that what was
/// checked is what was loaded, and a Ring keeps it.
struct RingHeader {
  std::atomic<std::uint64_t> magic;
  std::atomic<std::uint32_t> version;
  std::atomic<std::uint32_t> supervised; ///< not 0: while the creator lives, whoever dies is followed by another one
  std::atomic<std::uint64_t> capacity_bytes; ///< of the area, a power of two
  std::atomic<std::uint64_t> area_offset;    ///< of the area in the segment
  ProcessMark creator;
  std::atomic<std::uint64_t> created_ns; ///< CLOCK_MONOTONIC
  RingEnd producer;
  RingEnd consumer;
  StreamHeader stream; ///< this and the description are filled by the producer before it is `attached` (release)
  std::array<char, max_description_octets> description;
};

inline constexpr std::uint64_t ring_magic =
    std::bit_cast<std::uint64_t>(std::array{'O', 'R', 'B', 'R', 'I', 'N', 'G', '\n'});
inline constexpr std::uint32_t ring_version = 4;
inline constexpr std::uint64_t min_ring_bytes = 4096;
inline constexpr std::uint64_t max_ring_bytes = std::uint64_t{1} << 36;
/// Of the area in the segment: the first page behind the header.
inline constexpr std::uint64_t ring_area_offset = (sizeof(RingHeader) + 4095) & ~std::uint64_t{4095};
/// Mapped behind the area, with nothing in it.
inline constexpr std::uint64_t ring_slack_bytes = 2048;
/// No index passes it, so that sums with one do not wrap: at 100 Gbit/s it is reached after ten years.
inline constexpr std::uint64_t max_ring_index = std::uint64_t{1} << 62;

/// A mapped ring. Copies share the mapping.
class Ring {
public:
  Ring() = default;

  /// Makes a ring; `capacity_bytes` is rounded up to a power of two within min_ring_bytes and max_ring_bytes.
  static Ring create(const std::string& segment_name, std::uint64_t capacity_bytes, bool huge_pages = false,
                     bool supervised = false);

  /// Attaches one, after checking magic, version and sizes; the error names what does not fit.
  static Ring attach(const std::string& segment_name, bool writable = true);

  [[nodiscard]] RingHeader& header() const noexcept { return *reinterpret_cast<RingHeader*>(segment_.data()); }
  [[nodiscard]] std::byte* area() const noexcept { return segment_.data() + ring_area_offset; }
  /// Of the area, a power of two; as it was when this was made or attached.
  [[nodiscard]] std::uint64_t capacity_bytes() const noexcept { return capacity_bytes_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(segment_); }

  /// Whether a process that dies at one of the ends is followed by another one, as long as the creator lives and has
  /// not set that end to EndState::dead.
  [[nodiscard]] bool is_supervised() const noexcept { return supervised_; }

  /// Whether nobody is at that end any more, and nobody will be: it has not finished, but is dead, or in a state that
  /// there is not. Looks at the process table: for slow paths.
  [[nodiscard]] bool is_lost(const RingEnd& end) const noexcept;

  /// Octets between both ends now; may be stale by the time it is read.
  [[nodiscard]] std::uint64_t fill_bytes() const noexcept;

  /// Whether more is mapped behind the area, so that a reader may copy a usual length of any record.
  [[nodiscard]] bool has_slack() const noexcept {
    return segment_.size() >= ring_area_offset + capacity_bytes_ + ring_slack_bytes;
  }

  /// The most octets that one record may have, so that it always fits at last.
  [[nodiscard]] std::uint64_t max_record_bytes() const noexcept { return capacity_bytes_ / 4; }

  /// Whether a producer that has published so much and a consumer that has given back so much can be ends of this ring:
  /// both aligned to records, the consumer not ahead, and no further behind than the area holds.
  [[nodiscard]] bool indices_fit(std::uint64_t published, std::uint64_t given_back) const noexcept {
    return published <= max_ring_index && (published | given_back) % record_alignment == 0 && given_back <= published &&
           published - given_back <= capacity_bytes_;
  }

private:
  Segment segment_;
  std::uint64_t capacity_bytes_ = 0;
  bool supervised_ = false;
  std::string name_;
};

/// Whether somebody is at that end now. Looks at the process table: for slow paths.
[[nodiscard]] bool is_taken(const RingEnd& end) noexcept;

/// Whether the process that made a ring runs. Where only signs of life can tell, those of both ends count as its own.
[[nodiscard]] bool creator_lives(const RingHeader& header) noexcept;

} // namespace orbweaver
