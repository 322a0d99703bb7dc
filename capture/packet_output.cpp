// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/packet_output.hpp"

#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>

namespace orbweaver {

PacketOutput::PacketOutput(RecordWriter writer, bool lossless, const std::atomic<bool>& stop)
    : writer_(std::move(writer)), stop_(stop), lossless_(lossless) {
  if (writer_.max_record_bytes() < max_packet_record_bytes)
    throw Error(writer_.name() + " is too small for packet records: the largest takes " +
                std::to_string(max_packet_record_bytes) + " octets, and a ring must hold four; make it larger");
  dropped_ = writer_.dropped_before();
  closed_ = writer_.is_finished();
}

void PacketOutput::tick(std::uint64_t second) noexcept {
  second_ = second;
  tick_due_ = owes_ = true;
  settle();
}

void PacketOutput::origin(std::uint64_t offset_ns) noexcept {
  offset_ns_ = offset_ns;
  origin_due_ = owes_ = true;
  settle();
}

void PacketOutput::note_lost(std::uint64_t packets, std::uint64_t from_ns, std::uint64_t to_ns) noexcept {
  owe_loss(packets, from_ns, to_ns);
  settle();
}

void PacketOutput::owe_loss(std::uint64_t packets, std::uint64_t from_ns, std::uint64_t to_ns) noexcept {
  loss_.from_ns = loss_due_ ? std::min(loss_.from_ns, from_ns) : from_ns;
  loss_.to_ns = loss_due_ ? std::max(loss_.to_ns, to_ns) : to_ns;
  loss_.packets += packets;
  loss_due_ = owes_ = true;
}

void PacketOutput::housekeep(std::uint64_t now_ns) noexcept {
  writer_.housekeep(now_ns);
  if (loss_due_ && writer_.reader_gone())
    closed_ = true;
}

/// Place for a packet record where there was none at once; without any, the packet is dropped.
std::byte* PacketOutput::find_room(std::uint32_t length, std::uint64_t time_ns) noexcept {
  std::byte* const place = owes_ ? nullptr : make_room(length);
  if (!place) {
    ++dropped_;
    owe_loss(1, time_ns, time_ns);
    writer_.count_dropped(1);
  }
  return place;
}

/// Writes the loss, the origin and the tick that are due; false where something is left for want of room.
bool PacketOutput::settle() noexcept {
  if (loss_due_) {
    if (!make_room(sizeof loss_))
      return false;
    writer_.write(&loss_, sizeof loss_, RecordKind::loss);
    loss_.packets = 0;
    loss_due_ = false;
  }
  if (origin_due_) {
    const OriginRecord origin{{}, offset_ns_};
    if (!make_room(sizeof origin))
      return false;
    writer_.write(&origin, sizeof origin, RecordKind::origin);
    origin_due_ = false;
  }
  if (tick_due_) {
    const TickRecord tick{{}, second_};
    if (!make_room(sizeof tick))
      return false;
    writer_.write(&tick, sizeof tick, RecordKind::tick);
    // Whoever reads several streams may wait for this one's clock, while we wait for room in another ring.
    writer_.publish(Wake::when_much);
    tick_due_ = false;
  }
  owes_ = false;
  return true;
}

/// Place for a record of `length` octets; where nothing may be lost, waits for it as long as somebody reads, be it
/// slowly and after a stop. nullptr: there is none.
std::byte* PacketOutput::make_room(std::uint32_t length) noexcept {
  if (closed_)
    return nullptr;
  if (std::byte* place = writer_.claim(length))
    return place;
  if (!lossless_) {
    closed_ = !writer_.failure().empty();
    return nullptr;
  }
  if (writer_.wait_for_last_room(length, stop_) == Room::available)
    return writer_.claim(length);
  closed_ = true;
  return nullptr;
}

bool PacketOutput::finish(EndCause cause) noexcept {
  // A loss that nobody is told of would make what was lost look like what was never there.
  while (owes_ && !closed_ && !settle())
    closed_ =
        writer_.wait_for_last_room(sizeof loss_ + sizeof(OriginRecord) + sizeof(TickRecord), stop_) != Room::available;
  return writer_.finish(cause, stop_) && !closed_;
}

std::string PacketOutput::failure() const {
  const std::string error = writer_.failure();
  return error.empty() ? "nobody reads " + writer_.name() + " any more" : error;
}

} // namespace orbweaver
