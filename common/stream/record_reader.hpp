// SPDX-License-Identifier: GPL-3.0-or-later
// The reading end of a stream of records: the consumer of a ring, or a recorded file. One thread uses it.
//
//   while ((n = reader.peek(batch)) > 0 || reader.wait(stop) == Wait::readable) { handle batch[0..n); reader.release();
//   }
//
// It trusts nothing that it reads: a record that does not fit, or a block of a file whose checksum is another, ends the
// stream, and damage() says where and why. What it gives out are copies, made once: whatever the other end of a ring
// does to its memory, what a consumer has checked of a record stays as it was.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/endpoint.hpp"
#include "common/stream/record.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace orbweaver {

/// What wait came back with.
enum class Wait {
  readable, ///< peek() gives records now
  quiet,    ///< nothing came for the time of a sleep: time for housekeeping, then wait again
  ended,    ///< the end record was read: nothing more comes
  cut_off,  ///< the producer died, or the file stops after a block without an end record: all that there was was read
  damaged,  ///< damage() says what
  stopped,  ///< the stop flag was set and nothing is left to read
};

class RecordReader {
public:
  /// Opens an endpoint for reading. Waits until the ring and its producer are there, at most as long as the options
  /// say. Throws Error for what cannot be read as a stream of that kind.
  static RecordReader open(const Endpoint& endpoint, StreamKind kind, const EndpointOptions& options = {},
                           const std::atomic<bool>* stop = nullptr);

  /// Reads a ring that is mapped already and has its producer: both ends in one process, over one mapping, so that a
  /// tool that watches memory (ThreadSanitizer) sees them meet. Throws as open() does.
  static RecordReader take(const Ring& ring, StreamKind kind, const EndpointOptions& options = {});

  RecordReader(RecordReader&&) noexcept;
  RecordReader& operator=(RecordReader&&) = delete;
  ~RecordReader();

  static constexpr std::size_t max_batch = 128;

  [[nodiscard]] const StreamDescription& stream() const noexcept { return *stream_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// The next records, oldest first, at most as many as `out` holds and max_batch; 0 when there is none now. They are
  /// copies, which stay valid until the next call. Padding is left out; an end record is given out like any other. Each
  /// record has its whole length and at least its header; what else its kind promises is for the caller to check.
  std::size_t peek(std::span<const RecordHeader*> out) noexcept {
    return peek_while<const RecordHeader>(out, [](const RecordHeader&, const RecordHeader*) { return true; });
  }

  /// As peek(), but no more than those that come before the first of which `accepts(header, record)` is false: what is
  /// usual is copied and checked in one pass. It gets the copy, and its header beside it, known without a look at
  /// memory. 0 too where the very next record is refused: peek() gives that.
  template <typename Record, typename Accepts>
  std::size_t peek_while(std::span<Record*> out, Accepts&& accepts) noexcept {
    const std::size_t wanted = std::min(out.size(), max_batch);
    std::size_t count = 0;
    std::byte* copy = copies_.get();
    batch_ = cursor_;
    for (bool full = false; count < wanted && !full;) {
      if (cursor_ == seen_ && (ends_batch(count) || !look())) [[unlikely]]
        break;
      if (count == 0)
        batch_ = cursor_;
      // Up to the end of the area, or of what is there: a multiple of record_alignment.
      const std::byte* const start = area_ + (cursor_ & mask_);
      const std::byte* const end = start + contiguous();
      const std::byte* place = start;
      while (count < wanted && place != end) {
        __builtin_prefetch(place + read_ahead_bytes);
        RecordHeader header;
        __builtin_memcpy(&header, place, sizeof header);
        const std::uint64_t stride = record_stride(header.length);
        if (header.length < sizeof header || stride > static_cast<std::uint64_t>(end - place)) [[unlikely]] {
          cursor_ += static_cast<std::uint64_t>(place - start);
          mark_damaged("a record of " + std::to_string(header.length) + " octets does not fit, " +
                       std::to_string(end - place) + " are there");
          records_ += count;
          return count;
        }
        if (header.kind == RecordKind::padding) [[unlikely]] {
          place += stride;
          continue;
        }
        // IPv4 or IPv6, nobody can predict: both are copied alike.
        if (is_wide_ && stride <= ipv6_segment_octets) [[likely]] {
          __builtin_memcpy(copy, place, ipv6_segment_octets);
        } else if (!copy_record(copy, place, stride)) [[unlikely]] {
          full = true;
          break;
        }
        __builtin_memcpy(copy, &header, sizeof header); // as it was when it was checked
        if (!accepts(header, reinterpret_cast<const RecordHeader*>(copy))) [[unlikely]] {
          full = true;
          break;
        }
        out[count++] = reinterpret_cast<Record*>(copy);
        copy += stride;
        place += stride;
        if (header.kind == RecordKind::end) [[unlikely]] {
          ended_ = true;
          seen_ = cursor_ + static_cast<std::uint64_t>(place - start);
          break;
        }
      }
      if (damage_.empty()) [[likely]]
        cursor_ += static_cast<std::uint64_t>(place - start);
      if (ended_) [[unlikely]]
        break;
    }
    records_ += count;
    return count;
  }

  /// Gives back the room of all that peek() gave out, so that the producer can use it. Batched: what is small waits.
  void release() noexcept {
    if (cursor_ - released_ >= release_batch_)
      release_now();
  }

  /// Whether release() would give room back now.
  [[nodiscard]] bool is_release_due() const noexcept { return cursor_ - released_ >= release_batch_; }
  /// Whether half of the ring is kept from its producer: it has room still for the longest record, and no longer for
  /// much more.
  [[nodiscard]] bool is_release_urgent() const noexcept { return (cursor_ - released_) / 4 >= release_batch_; }
  /// Whether there is room to give back.
  [[nodiscard]] bool has_unreleased() const noexcept { return cursor_ != released_; }

  /// As release(), however little it is.
  void give_back() noexcept {
    if (has_unreleased())
      release_now();
  }

  /// Where the next record is: octets since the start of the ring's life, or of the file.
  [[nodiscard]] std::uint64_t position() const noexcept { return cursor_; }

  /// Begins at a place where a predecessor was. False where the ring has no such place any more.
  bool resume_at(std::uint64_t position) noexcept;

  /// Waits for records, one round: call it when peek() gave none. Gives back everything first, unless the reader has to
  /// keep it; there is room for more still. Who reads several streams gives a short `sleep`, so that one that is quiet
  /// does not hold up the others.
  Wait wait(const std::atomic<bool>& stop, std::chrono::nanoseconds sleep = longest_sleep,
            bool gives_back = true) noexcept;

  /// Declares what peek() gave out to be bad; the stream ends there. Offsets count from the start of the file, or of
  /// the ring's life.
  void mark_damaged(const std::string& why) noexcept;
  void mark_damaged_at(const RecordHeader* record, const std::string& why) noexcept;

  /// Where the stream is damaged and why (name, offset), or empty.
  [[nodiscard]] const std::string& damage() const noexcept { return damage_; }

  /// What to warn of where a recording ends with that record: it is of an input that could not be read to its end. Else
  /// empty; of a ring's input its producer tells.
  [[nodiscard]] std::string warning_of(const EndRecord& end) const;

  /// Once in a while: heartbeat and counters for those who watch.
  void housekeep(std::uint64_t now_ns) noexcept;

  /// Leaves the stream; a producer that waits is told. Also done by the destructor.
  void close() noexcept;

private:
  RecordReader() = default;
  /// Looks for more when all that was seen is read: the producer's index, or a file's next block. False where there is
  /// no more, or what there is is damaged.
  bool look() noexcept;
  /// Checks the block at the cursor and lets its records be read. Of a block that was cut off, which nothing can check,
  /// those that are whole; the damage is told when they are read.
  bool look_at_block() noexcept;
  void release_now() noexcept;
  void allocate_copies();
  /// A batch of a file is of one block, so that places in it can be told.
  [[nodiscard]] bool ends_batch(std::size_t count) const noexcept { return count > 0 && !ring_; }
  /// Copies a record of any length but the usual one to `to`, where there is room for the usual ones of a whole batch.
  /// Where it is longer, the batch has to end before it: false; then, or where it begins the batch, room is made. One
  /// that is longer than any can be is damage.
  bool copy_record(std::byte*& to, const std::byte* from, std::uint64_t stride) noexcept {
    if (stride > static_cast<std::uint64_t>(copies_end_ - to) && !make_room(to, stride))
      return false;
    __builtin_memcpy(to, from, stride);
    return true;
  }
  bool make_room(std::byte*& to, std::uint64_t stride) noexcept;
  static constexpr std::uint64_t ipv6_segment_octets = 88;
  /// A batch of packets ahead of the cursor, records are brought into the cache: an observer waited 23 ns a packet for
  /// them, as its flows keep the processor from seeing that a ring is read in order.
  static constexpr std::size_t read_ahead_bytes = 4096;
  [[nodiscard]] std::uint64_t contiguous() const noexcept {
    const std::uint64_t to_end =
        mask_ - (cursor_ & mask_) + 1; // 0 where the mask is all ones: a file has no end to wrap at
    const std::uint64_t there = seen_ - cursor_;
    return to_end != 0 && to_end < there ? to_end : there;
  }

  const std::byte* area_ = nullptr;
  std::uint64_t mask_ = 0;
  std::uint64_t cursor_ = 0;   ///< next octet to read
  std::uint64_t seen_ = 0;     ///< the producer's index as last loaded, or the end of the file's block
  std::uint64_t released_ = 0; ///< what the producer was told
  std::uint64_t release_batch_ = 0;
  std::uint64_t records_ = 0;
  bool ended_ = false;
  bool cut_ = false; ///< the file ends within the block that is read
  bool busy_poll_ = false;
  bool is_wide_ = false;                ///< behind the last record enough is mapped to copy more than it has
  std::uint64_t max_record_bytes_ = 0;  ///< 0: as long as a block is, which was checked
  std::unique_ptr<std::byte[]> copies_; ///< of the batch given out last
  std::byte* copies_end_ = nullptr;     ///< what stands behind it is room for usual records, however many came before
  std::uint64_t batch_ = 0;             ///< where that began
  Ring ring_;
  boost::interprocess::mapped_region file_;
  GuardedMapping guard_; ///< of the file
  std::unique_ptr<StreamDescription> stream_;
  std::string name_;
  std::string damage_;
};

} // namespace orbweaver
