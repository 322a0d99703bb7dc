// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of the dissector and of the fragment cache share: a frame from built bytes, and a look at the draft.
#pragma once

#include "capture/dissect/dissector.hpp"
#include "tests/support/packet_builder.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace orbweaver::test {

struct FrameOptions {
  LinkType link = LinkType::ethernet;
  std::size_t snap_length = 262'144;
  std::uint64_t time_ns = 1'000'000'000;
  std::uint32_t wire_length = 0; ///< 0: as built
};

inline Frame frame_of(const craft::Bytes& bytes, const FrameOptions& options = {}) {
  const auto length = static_cast<std::uint32_t>(bytes.size());
  return {bytes.data(), options.time_ns, static_cast<std::uint32_t>(std::min<std::size_t>(length, options.snap_length)),
          options.wire_length ? options.wire_length : length, options.link};
}

/// A dissected packet, and its record as it will lie in the ring. The octets captured lie in a block of their very
/// size, so that a sanitizer sees a read past them.
struct Dissected {
  std::shared_ptr<std::uint8_t[]> octets;
  Outcome outcome;
  PacketDraft draft{};
  std::vector<std::uint64_t> words;

  explicit Dissected(const craft::Bytes& bytes, const FrameOptions& options = {}, std::uint32_t needs = Need::all) {
    Frame frame = frame_of(bytes, options);
    octets = std::shared_ptr<std::uint8_t[]>(new std::uint8_t[frame.captured_length]);
    std::copy_n(bytes.data(), frame.captured_length, octets.get());
    frame.data = octets.get();
    outcome = dissect(frame, needs, draft);
    if (outcome != Outcome::packet)
      return;
    words.resize(record_stride(draft.record.header.length) / 8);
    draft.copy_to(words.data());
  }

  const PacketRecord* operator->() const { return &draft.record; }
  /// Only of an outcome `packet`.
  PacketView view() const { return PacketView(reinterpret_cast<const PacketRecord*>(words.data())); }
  bool valid() const { return packet_record_valid(reinterpret_cast<const RecordHeader*>(words.data())); }
  bool has(std::uint16_t bit) const { return draft.record.bits & bit; }
  bool from_high() const { return has(PacketBits::from_high); }
  unsigned source_port() const { return draft.record.key.ports[from_high()]; }
  unsigned destination_port() const { return draft.record.key.ports[!from_high()]; }
  craft::Bytes address(bool high) const {
    const std::size_t length = addresses_length(draft.record.key.version) / 2;
    const std::uint8_t* at = draft.addresses + (high ? length : 0);
    return {at, at + length};
  }
  craft::Bytes source() const { return address(from_high()); }
  craft::Bytes destination() const { return address(!from_high()); }
  craft::Bytes options() const { return bytes_of(view().tcp_options()); }
  craft::Bytes payload() const { return bytes_of(view().payload()); }
  craft::Bytes quotation() const { return bytes_of(view().quotation()); }

  static craft::Bytes bytes_of(std::span<const std::uint8_t> octets) { return {octets.begin(), octets.end()}; }
};

inline craft::Bytes v4(std::uint8_t last) {
  return {10, 0, 0, last};
}

inline craft::Bytes v6(std::uint8_t last) {
  craft::Bytes address(16);
  address[0] = 0xfd;
  address[15] = last;
  return address;
}

} // namespace orbweaver::test

namespace craft = orbweaver::craft;
