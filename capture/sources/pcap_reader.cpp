// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pcap_reader.hpp"

#include "common/error.hpp"

#include <algorithm>

namespace orbweaver {
namespace {

constexpr std::uint32_t magic_us = 0xa1b2c3d4;
constexpr std::uint32_t magic_ns = 0xa1b23c4d;
constexpr std::uint32_t magic_modified = 0xa1b2cd34; // 8 octets more in each record header, microseconds

constexpr std::uint32_t usual_max_captured = 262144; // tcpdump's largest snap length

bool is_magic(std::uint32_t magic) noexcept {
  return magic == magic_us || magic == magic_ns || magic == magic_modified;
}

} // namespace

bool is_pcap_magic(Input::Octets start) noexcept {
  return start.size() >= 4 && (is_magic(load32<false>(start.data())) || is_magic(load32<true>(start.data())));
}

PcapReader::PcapReader(std::unique_ptr<Input> input, std::uint32_t snap_length)
    : CaptureReader(std::move(input), snap_length) {
  if (octets_left() < file_start_octets)
    throw Error(named("cut off in the file header: " + std::to_string(octets_left()) + " of " +
                      std::to_string(file_start_octets) + " octets are there"));
  swapped_ = !is_magic(load32<false>(cursor_));
  if (swapped_)
    read_header<true>();
  else
    read_header<false>();
  cursor_ += file_start_octets;
}

template <bool swapped>
void PcapReader::read_header() {
  const std::uint32_t magic = load32<swapped>(cursor_);
  fraction_ns_ = magic == magic_ns ? 1 : 1000;
  header_octets_ = magic == magic_modified ? 24 : 16;

  const std::uint16_t major = load16<swapped>(cursor_ + 4);
  const std::uint16_t minor = load16<swapped>(cursor_ + 6);
  if (major != 2 || minor < 4) // before 2.4 the two lengths of a record stood the other way round
    throw Error(named("pcap version " + std::to_string(major) + "." + std::to_string(minor) +
                      " is not read, only 2.4: rewrite it with tcpdump -r FILE -w NEW"));

  max_captured_ = std::clamp(load32<swapped>(cursor_ + 16), usual_max_captured, max_record_octets);

  // The six bits above the link type say how long the frame check sequence is, which nothing here looks at.
  const std::uint32_t number = load32<swapped>(cursor_ + 20) & 0x03ffffff;
  const std::optional<LinkType> link = link_type_of(number);
  if (!link)
    throw Error(named("link type " + describe_link_type(number) + " is not supported"));
  link_ = *link;
}

std::size_t PcapReader::take(std::span<Frame> out) noexcept {
  return swapped_ ? walk<true>(out) : walk<false>(out);
}

template <bool swapped>
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
    const std::uint32_t captured = load32<swapped>(cursor + 8);
    if (captured > max_captured_) [[unlikely]] {
      cursor_ = cursor;
      fault("a packet of " + std::to_string(captured) + " octets; none may have more than " +
            std::to_string(max_captured_));
      return count;
    }
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
    frame.wire_length = load32<swapped>(cursor + 12);
    frame.link = link_;
    cursor += header_octets + captured;
  }
  cursor_ = cursor;
  return count;
}

} // namespace orbweaver
