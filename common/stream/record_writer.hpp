// SPDX-License-Identifier: GPL-3.0-or-later
// The writing end of a stream of records: the producer of a ring, or a recorded file. One thread uses it.
//
//   if (auto* place = writer.claim(length)) { fill length octets after the header; writer.commit(place, length, kind);
//   }
//
// Committed records reach the reader with publish(), which commit() calls by itself each `publish_batch_bytes`. A
// reader that sleeps is not woken for each batch, but for an eighth of the ring: on a busy machine it would otherwise
// take the writer's core at every wake-up, and both would advance by one batch in a time slice.
//
// Of what it reads in a ring it trusts nothing: the capacity is that of when it attached, and a consumer's index that
// none can have ends the stream, and failure() says so.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/endpoint.hpp"
#include "common/stream/record.hpp"
#include "common/stream/ring/ring.hpp"
#include "common/stream/ring/wait.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace orbweaver {

/// What wait_for_room came back with.
enum class Room {
  available,   ///< claim() succeeds now
  reader_gone, ///< nobody will read this stream any more (the consumer died or has left)
  stopped,     ///< the stop flag was set
  failed,      ///< the file cannot be written, or the ring's consumer is where none can be: failure() says why
};

/// Whether publish() wakes a reader that sleeps.
enum class Wake {
  now,       ///< for whatever there is
  when_much, ///< where an eighth of the ring is unread; else it wakes by itself, after longest_sleep at the latest
};

class RecordWriter {
public:
  /// Opens an endpoint for writing. A ring that does not exist, or that a dead process left, is made, and then this
  /// writer removes it when it is closed; a file is replaced. Throws Error.
  static RecordWriter open(const Endpoint& endpoint, const StreamDescription& stream,
                           const EndpointOptions& options = {});

  RecordWriter(RecordWriter&&) noexcept;
  RecordWriter& operator=(RecordWriter&&) = delete;
  /// Closes as if interrupted, if nobody called finish().
  ~RecordWriter();

  /// Place for a record of `length` octets, header included, 8-aligned; nullptr when there is no room now.
  /// At most max_record_bytes(). A claim not committed is undone by the next claim: aborting takes no call.
  [[nodiscard]] std::byte* claim(std::uint32_t length) noexcept {
    const std::uint64_t stride = record_stride(length);
    if (position_ + stride <= run_end_) [[likely]]
      return area_ + (position_ & mask_);
    return claim_slowly(stride);
  }

  /// Ends the record claimed last, at `place`: writes its header and counts it. `length` may be less than what was
  /// claimed; `table` is that of a row.
  void commit(std::byte* place, std::uint32_t length, RecordKind kind, std::uint16_t table = 0) noexcept {
    const RecordHeader header{length, kind, table};
    __builtin_memcpy(place, &header, sizeof header);
    position_ += record_stride(length);
    ++records_;
    notices_ += kind != RecordKind::packet;
    if (position_ - published_ >= publish_batch_bytes)
      publish(Wake::when_much);
  }

  /// Claims, copies and commits a whole record that begins with its header; false when there is no room.
  bool write(const void* record, std::uint32_t length, RecordKind kind) noexcept {
    std::byte* place = claim(length);
    if (!place)
      return false;
    __builtin_memcpy(place, record, length);
    commit(place, length, kind);
    return true;
  }

  /// Lets the reader see all that is committed. A file is written when its buffer is full and at finish().
  void publish(Wake wake = Wake::now) noexcept;

  /// Waits until a record of `length` octets fits. Publishes first.
  Room wait_for_room(std::uint32_t length, const std::atomic<bool>& stop) noexcept;

  /// The same for what a stream ends with: waits as long as somebody reads, whatever `stop` says, since readers drain
  /// their rings; where nobody has come to read yet, until `stop` is set.
  Room wait_for_last_room(std::uint32_t length, const std::atomic<bool>& stop) noexcept;

  /// Whether a ring's reader died or has left. Looks at the process table: for slow paths.
  [[nodiscard]] bool reader_gone() const noexcept;

  /// Counts packets that were lost because there was no room.
  void count_dropped(std::uint64_t packets) noexcept;

  /// Once in a while: heartbeat and counters for those who watch.
  void housekeep(std::uint64_t now_ns) noexcept;

  /// Writes the end record, publishes, and leaves; waits for room as long as somebody reads. The owner of a ring of its
  /// own waits until it is drained, or `stop` is set, and removes it. False where the stream could not be completed.
  bool finish(EndCause cause, const std::atomic<bool>& stop) noexcept;

  [[nodiscard]] std::uint64_t max_record_bytes() const noexcept { return max_record_bytes_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
  /// Of them those that are no packets.
  [[nodiscard]] std::uint64_t notices() const noexcept { return notices_; }
  /// Octets written to the stream since ever: where the record claimed last begins, or else the next one.
  [[nodiscard]] std::uint64_t position() const noexcept { return position_; }

  /// What is committed stays, should this process die before it is published: who takes over a ring's end begins behind
  /// it.
  void keep() noexcept {
    if (ring_)
      ring_.header().producer.kept.store(position_, std::memory_order_release);
  }

  /// Up to where a predecessor's records are whole: all that it published or kept. 0 where there was none.
  [[nodiscard]] std::uint64_t taken_over_at() const noexcept { return taken_over_at_; }
  /// Packets that a predecessor counted as dropped.
  [[nodiscard]] std::uint64_t dropped_before() const noexcept {
    return taken_over_ ? ring_.header().producer.dropped.load(std::memory_order_relaxed) : 0;
  }
  /// Whether a predecessor had come to the stream's end: nothing is to be written any more.
  [[nodiscard]] bool is_finished() const noexcept { return was_finished_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// The ring that it writes, none for a file.
  [[nodiscard]] const Ring& ring() const noexcept { return ring_; }
  /// Why writing failed (the file and errno's text, or the ring and how it is damaged), or empty.
  [[nodiscard]] std::string failure() const;

  static constexpr std::uint64_t publish_batch_bytes = 32 << 10;

private:
  RecordWriter() = default;
  std::byte* claim_slowly(std::uint64_t stride) noexcept;
  /// Looks where the consumer is. False also where it cannot be there: then the stream has failed.
  bool has_room(std::uint64_t wanted) noexcept;
  /// Goes on where a predecessor stopped. False where its end of the ring is damaged: damage_ says how.
  bool take_over() noexcept;
  /// Writes what the buffer holds as one block.
  bool flush_file() noexcept;

  std::byte* area_ = nullptr;
  std::uint64_t mask_ = 0;      ///< capacity - 1
  std::uint64_t position_ = 0;  ///< next octet to write
  std::uint64_t limit_ = 0;     ///< position that must not be passed: the cached consumer index plus the capacity
  std::uint64_t run_end_ = 0;   ///< the same, or the end of the area where that comes first
  std::uint64_t published_ = 0; ///< what the reader was told
  std::uint64_t records_ = 0;
  std::uint64_t notices_ = 0;
  bool taken_over_ = false;
  bool was_finished_ = false; ///< by a predecessor: there is no room any more
  std::uint64_t taken_over_at_ = 0;
  std::uint64_t max_record_bytes_ = 0;
  Ring ring_;
  std::unique_ptr<std::byte[]> buffer_; ///< of a file: room for a BlockRecord, then the records of that block
  int fd_ = -1;
  int error_ = 0; ///< errno of the write that failed
  bool owns_ring_ = false;
  bool busy_poll_ = false;
  bool finished_ = false;
  std::string name_;
  std::string damage_; ///< how the ring is; nothing is written any more
};

} // namespace orbweaver
