// SPDX-License-Identifier: GPL-3.0-or-later
// A frame's record as the short way makes it, and as the long way does, for those who compare.
#pragma once

#include "capture/dissect/plain_packet.hpp"
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <vector>

namespace orbweaver::test {

using RecordWords = std::vector<std::uint64_t>;

template <std::uint8_t version>
RecordWords plain_record_of(const Frame& frame, std::uint32_t wanted) {
  PlainPacket<version> packet;
  if (!packet.fits(frame) || !packet.read(frame, wanted))
    return {};
  RecordWords words(packet.record_bytes / 8);
  packet.write(packet.hash(1), reinterpret_cast<std::byte*>(words.data()));
  const RecordHeader header{packet.record_bytes, RecordKind::packet, 0};
  std::memcpy(words.data(), &header, sizeof header);
  return words;
}

/// Empty where the short way does not take the frame.
inline RecordWords plain_record(const Frame& frame, std::uint32_t wanted) {
  const auto words = plain_record_of<4>(frame, wanted);
  return words.empty() ? plain_record_of<6>(frame, wanted) : words;
}

/// Empty where the frame holds no packet.
inline RecordWords drafted_record(const Frame& frame, std::uint32_t wanted) {
  PacketDraft draft;
  if (dissect(frame, wanted, draft) != Outcome::packet)
    return {};
  draft.record.flow_hash = static_cast<std::uint32_t>(flow_hash(draft.record.key, draft.addresses, 1));
  RecordWords words(record_stride(draft.record.header.length) / 8);
  draft.copy_to(words.data());
  return words;
}

} // namespace orbweaver::test
