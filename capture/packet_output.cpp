// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/packet_output.hpp"

#include "common/error.hpp"
#include "common/wait.hpp"

namespace orbweaver {

PacketOutput::PacketOutput(RecordWriter writer, bool lossless, const std::atomic<bool>& stop)
    : writer_(std::move(writer)), stop_(stop), lossless_(lossless) {
  if (writer_.max_record_bytes() < max_packet_record_bytes)
    throw Error(writer_.name() + " is too small for packet records: the largest takes " +
                std::to_string(max_packet_record_bytes) + " octets, and a ring must hold four; make it larger");
}

void PacketOutput::tick(std::uint64_t second) noexcept {
  second_ = second;
  tick_due_ = owes_ = true;
  settle();
}

void PacketOutput::note_lost_before(std::uint64_t packets) noexcept {
  lost_ += packets;
  loss_due_ = owes_ = true;
  settle();
}

void PacketOutput::housekeep(std::uint64_t now_ns) noexcept {
  writer_.housekeep(now_ns);
  if (lost_ > 0 && writer_.reader_gone())
    closed_ = true;
}

/// Place for a packet record where there was none at once; without any, the packet is dropped.
std::byte* PacketOutput::find_room(std::uint32_t length) noexcept {
  std::byte* const place = owes_ ? nullptr : make_room(length);
  if (!place) {
    ++dropped_;
    ++lost_;
    owes_ = true;
    writer_.count_dropped(1);
  }
  return place;
}

/// Writes the loss and the tick that are due; false where something is left for want of room.
bool PacketOutput::settle() noexcept {
  if (lost_ > 0 || loss_due_) {
    const LossRecord loss{{}, lost_};
    if (!make_room(sizeof loss))
      return false;
    writer_.write(&loss, sizeof loss, RecordKind::loss);
    lost_ = 0;
    loss_due_ = false;
  }
  if (tick_due_) {
    const TickRecord tick{{}, second_};
    if (!make_room(sizeof tick))
      return false;
    writer_.write(&tick, sizeof tick, RecordKind::tick);
    tick_due_ = false;
  }
  owes_ = false;
  return true;
}

/// Place for a record of `length` octets; waits for it where nothing may be lost. nullptr: there is none.
std::byte* PacketOutput::make_room(std::uint32_t length) noexcept {
  if (closed_)
    return nullptr;
  if (std::byte* place = writer_.claim(length))
    return place;
  if (!lossless_) {
    closed_ = !writer_.failure().empty();
    return nullptr;
  }
  std::uint64_t give_up_ns = 0;
  for (;;) {
    switch (writer_.wait_for_room(length, stop_)) {
    case Room::available:
      return writer_.claim(length);
    case Room::reader_gone:
    case Room::failed:
      closed_ = true;
      return nullptr;
    case Room::stopped:
      const std::uint64_t now_ns = monotonic_ns();
      if (give_up_ns == 0)
        give_up_ns = now_ns + patience_ns;
      if (now_ns >= give_up_ns) {
        closed_ = true;
        return nullptr;
      }
    }
  }
}

bool PacketOutput::finish(EndCause cause) noexcept {
  if (owes_)
    settle();
  return writer_.finish(cause, stop_) && !closed_;
}

std::string PacketOutput::failure() const {
  const std::string error = writer_.failure();
  return error.empty() ? "nobody reads " + writer_.name() + " any more" : error;
}

} // namespace orbweaver
