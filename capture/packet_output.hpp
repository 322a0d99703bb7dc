// SPDX-License-Identifier: GPL-3.0-or-later
// One observer's packet stream as capture writes it: packets, the ticks of the packet clock, and what to do when there
// is no room. Reading a file, it waits and loses nothing; live, it counts the loss and tells it to the observer before
// the next packet that fits. Owned by a Capture and used on its thread.
#pragma once

#include "capture/dissect/packet_draft.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/ring/wait.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace orbweaver {

class PacketOutput {
public:
  /// `lossless`: wait for room. Throws Error where the stream is too small for the largest packet record.
  PacketOutput(RecordWriter writer, bool lossless, const std::atomic<bool>& stop);

  /// Place for a packet record of `length` octets, to be filled but for its header; or nullptr, and the packet, which
  /// was captured at `time_ns`, is counted as dropped.
  [[nodiscard]] std::byte* claim(std::uint32_t length, std::uint64_t time_ns) noexcept {
    std::byte* place = owes_ && !settle() ? nullptr : writer_.claim(length);
    if (!place) [[unlikely]]
      return find_room(length, time_ns);
    // What the observer read last time round is its own until asked for: 8 ns a packet, waited for at each store.
    prefetch_for_write(place + write_ahead_bytes);
    return place;
  }

  /// Ends the packet claimed last, at `place`.
  void commit(std::byte* place, std::uint32_t length) noexcept { writer_.commit(place, length, RecordKind::packet); }

  /// Writes a packet, or counts it as dropped.
  void deliver(const PacketDraft& draft) noexcept {
    if (std::byte* place = claim(draft.record.header.length, draft.record.time_ns)) {
      draft.copy_to(place);
      commit(place, draft.record.header.length);
    }
  }

  /// Tells the observer that the packet clock stepped; no tick is lost, but where the ring is full it may be late.
  void tick(std::uint64_t second) noexcept;

  /// Tells the observer that the packets' clock was set (OriginRecord): before the next packet.
  void origin(std::uint64_t offset_ns) noexcept;

  /// Tells the observer of packets that were lost in that time before they were read; some may have been for it. 0
  /// packets without end: nobody watches from then on.
  void note_lost(std::uint64_t packets, std::uint64_t from_ns, std::uint64_t to_ns) noexcept;

  void publish() noexcept { writer_.publish(); }

  /// Once in a while: heartbeat, and a look at whether anybody still reads.
  void housekeep(std::uint64_t now_ns) noexcept;

  /// Ends the stream. False where it could not be completed; failure() may say why.
  bool finish(EndCause cause) noexcept;

  [[nodiscard]] std::uint64_t delivered() const noexcept { return writer_.records() - writer_.notices(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
  /// Nothing more can be written: the reader is gone, or the file is full.
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Why, where closed(): one line that names the endpoint.
  [[nodiscard]] std::string failure() const;

private:
  static constexpr std::size_t write_ahead_bytes = 1024;

  std::byte* find_room(std::uint32_t length, std::uint64_t time_ns) noexcept;
  void owe_loss(std::uint64_t packets, std::uint64_t from_ns, std::uint64_t to_ns) noexcept;
  bool settle() noexcept;
  std::byte* make_room(std::uint32_t length) noexcept;

  RecordWriter writer_;
  const std::atomic<bool>& stop_;
  bool lossless_;
  bool closed_ = false;
  bool owes_ = false; ///< a loss, an origin or a tick has to go out before the next packet
  bool origin_due_ = false;
  bool tick_due_ = false;
  bool loss_due_ = false;
  std::uint64_t offset_ns_ = 0;
  std::uint64_t second_ = 0;
  LossRecord loss_{}; ///< what the observer has not been told of yet, where it is due
  std::uint64_t dropped_ = 0;
};

} // namespace orbweaver
