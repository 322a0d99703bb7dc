// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pcap_reader.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace orbweaver {
namespace {

constexpr std::uint32_t magic_us = 0xa1b2c3d4;
constexpr std::uint32_t magic_ns = 0xa1b23c4d;
constexpr std::uint32_t magic_modified = 0xa1b2cd34; // 8 octets more in each record header, microseconds

constexpr std::uint16_t newest_minor = 4;

constexpr std::uint32_t usual_max_captured = 262144; // tcpdump's largest snap length

bool is_magic(std::uint32_t magic) noexcept {
  return magic == magic_us || magic == magic_ns || magic == magic_modified;
}

/// Whether these, fewer than file_start_octets, may be the beginning of another capture.
bool may_begin_capture(Input::Octets start) noexcept {
  return is_pcap_magic(start) || file_kind(start) == FileKind::pcapng;
}

} // namespace

bool is_pcap_magic(Input::Octets start) noexcept {
  return start.size() >= 4 && (is_magic(load32<false>(start.data())) || is_magic(load32<true>(start.data())));
}

bool is_pcap_header(const std::uint8_t* at) noexcept {
  if (!is_pcap_magic({at, 4}) || load32<false>(at + 12) != 0)
    return false;
  const bool swapped = !is_magic(load32<false>(at));
  const std::uint16_t major = swapped ? load16<true>(at + 4) : load16<false>(at + 4);
  const std::uint16_t minor = swapped ? load16<true>(at + 6) : load16<false>(at + 6);
  const auto zone_s = static_cast<std::int32_t>(swapped ? load32<true>(at + 8) : load32<false>(at + 8));
  return major == 2 && minor <= newest_minor && zone_s >= -86400 && zone_s <= 86400;
}

PcapReader::PcapReader(std::unique_ptr<Input> input, std::uint32_t snap_length, bool plain)
    : CaptureReader(std::move(input), snap_length), plain_(plain) {
  if (octets_left() < file_start_octets)
    throw Error(named("cut off in the file header: " + std::to_string(octets_left()) + " of " +
                      std::to_string(file_start_octets) + " octets are there"));
  if (const std::string refused = read_file_header(); !refused.empty())
    throw Error(named(refused));
  if (plain_ && lengths_ != Lengths::usual)
    throw Error(named("is of a pcap version before 2.4, which only our own reader takes"));
  if (!known_link_)
    throw Error(named("link type " + describe_link_type(link_number_) + " is not supported"));
}

/// Of the header at the cursor, which is whole; moves behind it. Says what cannot be read.
std::string PcapReader::read_file_header() {
  swapped_ = !is_magic(load32<false>(cursor_));
  std::string refused = swapped_ ? read_header<true>() : read_header<false>();
  cursor_ += file_start_octets;
  return refused;
}

template <bool swapped>
std::string PcapReader::read_header() {
  const std::uint32_t magic = load32<swapped>(cursor_);
  fraction_ns_ = magic == magic_ns ? 1 : 1000;
  header_octets_ = magic == magic_modified ? 24 : 16;

  const std::uint16_t major = load16<swapped>(cursor_ + 4);
  const std::uint16_t minor = load16<swapped>(cursor_ + 6);
  if (const bool of_dg_ux = major == 543 && minor == 0; major != 2 && !of_dg_ux)
    return "pcap version " + std::to_string(major) + "." + std::to_string(minor) + " is not read, only 2.0 to 2.4";
  lengths_ = major != 2 || minor < 3 ? Lengths::other : minor == 3 ? Lengths::either_way : Lengths::usual;

  max_captured_ = std::clamp(load32<swapped>(cursor_ + 16), usual_max_captured, max_record_octets);

  // The six bits above the link type say how long the frame check sequence is, which nothing here looks at.
  link_number_ = load32<swapped>(cursor_ + 20) & 0x03ffffff;
  const std::optional<LinkType> link = link_type_of(link_number_);
  known_link_ = link.has_value();
  link_ = link.value_or(LinkType{});
  return {};
}

std::size_t PcapReader::take(std::span<Frame> out) noexcept {
  for (;;) {
    const std::uint8_t* const start = cursor_;
    const bool old = lengths_ != Lengths::usual;
    const std::size_t count = swapped_ ? (old ? walk<true, true>(out) : walk<true, false>(out))
                                       : (old ? walk<false, true>(out) : walk<false, false>(out));
    if (known_link_ && count != 0) [[likely]]
      return count;
    if (count != 0) {
      if (skipped_ == 0)
        skipped_number_ = link_number_;
      skipped_ += count;
    }
    // Nothing more before there are more octets, unless another capture begins here.
    if (!begins_again() && (count == 0 || cursor_ == start))
      return 0;
  }
}

/// Where walk() stopped at the header of another capture: takes it in, or hands over to the reader of pcapng.
bool PcapReader::begins_again() noexcept {
  if (has_fault() || octets_left() < file_start_octets)
    return false;
  const bool pcapng = is_pcapng_header(cursor_);
  if (!pcapng && !is_pcap_header(cursor_))
    return false;
  if (plain_)
    fault("another capture begins here, which only our own reader takes");
  else if (pcapng)
    hand_over();
  if (plain_ || pcapng)
    return false;
  static_cast<void>(read_file_header()); // is_pcap_header() knows its version
  return true;
}

/// Of octets that look odd for a record: whether they are a header of another capture, or cannot be read. The fault is
/// told once the `count` frames before it are given.
[[gnu::noinline]] bool PcapReader::is_no_record(Input::Octets octets, std::uint32_t captured,
                                                std::size_t count) noexcept {
  if (octets.size() < file_start_octets) {
    if (may_begin_capture(octets)) {
      incomplete(file_start_octets);
      return true;
    }
  } else if (is_pcap_header(octets.data()) || is_pcapng_header(octets.data())) {
    return true;
  }
  if (captured <= max_captured_)
    return false;
  cursor_ = octets.data();
  if (count == 0)
    fault("a packet of " + std::to_string(captured) + " octets; none may have more than " +
          std::to_string(max_captured_));
  return true;
}

/// Stops before a header of another capture, and at what no record can be. A header has 0 for its wire length, or, of
/// pcapng, more octets captured than there may be.
template <bool swapped, bool old>
std::size_t PcapReader::walk(std::span<Frame> out) noexcept {
  const std::uint32_t header_octets = header_octets_;
  const std::uint8_t* cursor = cursor_;
  std::size_t count = 0;
  while (count < out.size()) {
    const std::size_t left = static_cast<std::size_t>(end_ - cursor);
    if (left < header_octets) {
      incomplete(header_octets);
      break;
    }
    std::uint32_t captured = load32<swapped>(cursor + 8);
    std::uint32_t wire = load32<swapped>(cursor + 12);
    if (old && (lengths_ == Lengths::other || captured > wire))
      std::swap(captured, wire);
    if ((old || captured > max_captured_ || wire == 0) && is_no_record({cursor, left}, captured, count)) [[unlikely]]
      break;
    if (left - header_octets < captured) {
      incomplete(std::uint64_t{header_octets} + captured);
      break;
    }
    prefetch_ahead(cursor);
    Frame& frame = out[count++];
    frame.data = cursor + header_octets;
    frame.time_ns = load32<swapped>(cursor) * std::uint64_t{1'000'000'000} +
                    load32<swapped>(cursor + 4) * std::uint64_t{fraction_ns_};
    frame.captured_length = std::min(captured, snap_length_);
    frame.wire_length = wire;
    frame.link = link_;
    cursor += header_octets + captured;
  }
  cursor_ = cursor;
  return count;
}

std::string PcapReader::what_was_skipped() const {
  return std::to_string(skipped_) + " packets were skipped: link type " + describe_link_type(skipped_number_) +
         " is not supported";
}

} // namespace orbweaver
