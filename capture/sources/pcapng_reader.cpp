// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pcapng_reader.hpp"

#include "capture/sources/pcap_reader.hpp"

#include <algorithm>
#include <limits>

namespace orbweaver {
namespace {

enum BlockType : std::uint32_t {
  section_header = 0x0a0d0d0a, // the same in either byte order
  interface_description = 1,
  obsolete_packet_block = 2,
  simple_packet_block = 3,
  enhanced_packet_block = 6,
};
enum OptionCode : std::uint16_t { end_of_options = 0, if_tsresol = 9, if_tsoffset = 14 };

constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint32_t frame_octets = 12; // of a block: type and length before its body, length behind it
constexpr std::size_t max_interfaces = 65536;

__extension__ typedef __int128 Wide; // ticks × 10^9 takes 94 bits

Wide power_of_ten(unsigned exponent) noexcept {
  Wide power = 1;
  for (; exponent != 0; --exponent)
    power *= 10;
  return power;
}

template <bool swapped>
std::int64_t load64(const std::uint8_t* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return static_cast<std::int64_t>(swapped ? __builtin_bswap64(value) : value);
}

template <bool swapped>
std::uint64_t load_ticks(const std::uint8_t* at) noexcept {
  return std::uint64_t{load32<swapped>(at)} << 32 | load32<swapped>(at + 4);
}

} // namespace

InterfaceClock::InterfaceClock(std::uint8_t its_resolution, std::int64_t its_offset_s) noexcept
    : resolution(its_resolution), offset_s(its_offset_s),
      factor(resolution <= 9 && offset_s == 0 ? static_cast<std::uint32_t>(power_of_ten(9U - resolution)) : 0) {}

std::uint64_t InterfaceClock::nanoseconds_of_any(std::uint64_t ticks) const noexcept {
  const unsigned exponent = resolution & 0x7fU;
  Wide time = ticks;
  if ((resolution & 0x80U) != 0)
    time = time * 1'000'000'000 >> exponent;
  else if (exponent <= 9)
    time *= power_of_ten(9 - exponent);
  else
    time = exponent > 28 ? 0 : time / power_of_ten(exponent - 9); // 2^64 ticks of 10^-29 s are less than 1 ns
  time += Wide{offset_s} * 1'000'000'000;
  return static_cast<std::uint64_t>(std::clamp<Wide>(time, 0, std::numeric_limits<std::uint64_t>::max()));
}

PcapngReader::PcapngReader(std::unique_ptr<Input> input, std::uint32_t snap_length)
    : CaptureReader(std::move(input), snap_length) {}

std::size_t PcapngReader::take(std::span<Frame> out) noexcept {
  std::size_t count = 0;
  while (count < out.size()) {
    const Step taken = swapped_ ? step<true>(out[count]) : step<false>(out[count]);
    if (taken == Step::stop)
      break;
    count += taken == Step::frame;
  }
  return count;
}

/// Where a block cannot be: a classic capture that was put behind this one is read on by its reader.
bool PcapngReader::pcap_begins() noexcept {
  if (octets_left() < file_start_octets || !is_pcap_header(cursor_))
    return false;
  hand_over();
  return true;
}

template <bool swapped>
bool PcapngReader::find_block(Block& block) noexcept {
  const std::size_t left = octets_left();
  if (left < frame_octets) {
    incomplete(frame_octets);
    return false;
  }
  const std::uint32_t length = load32<swapped>(cursor_ + 4);
  if (length < frame_octets || length % 4 != 0 || length > max_record_octets) {
    if (!pcap_begins())
      fault("a block of " + std::to_string(length) + " octets; blocks have 12 to " + std::to_string(max_record_octets) +
            ", in multiples of 4");
    return false;
  }
  if (length > left) {
    if (!pcap_begins())
      incomplete(length);
    return false;
  }
  if (const std::uint32_t again = load32<swapped>(cursor_ + length - 4); again != length) {
    if (!pcap_begins())
      fault("a block of " + std::to_string(length) + " octets that says " + std::to_string(again) + " at its end");
    return false;
  }
  block = {load32<swapped>(cursor_), cursor_ + 8, length - frame_octets};
  return true;
}

template <bool swapped>
PcapngReader::Step PcapngReader::step(Frame& frame) noexcept {
  if (octets_left() >= frame_octets && load32<false>(cursor_) == section_header) [[unlikely]] {
    // The byte-order magic says how to read the section's own header, its length included.
    const bool turned = load32<true>(cursor_ + 8) == byte_order_magic;
    if (!turned && load32<false>(cursor_ + 8) != byte_order_magic)
      return refuse("a section header without the byte-order magic");
    Block block;
    if (!(turned ? find_block<true>(block) : find_block<false>(block)))
      return Step::stop;
    return turned ? begin_section<true>(block) : begin_section<false>(block);
  }
  Block block;
  if (!find_block<swapped>(block))
    return Step::stop;
  prefetch_ahead(cursor_);
  Step taken = Step::passed;
  switch (block.type) {
  case enhanced_packet_block:
    taken = enhanced_packet<swapped>(block, frame);
    break;
  case simple_packet_block:
    taken = simple_packet<swapped>(block, frame);
    break;
  case obsolete_packet_block:
    taken = obsolete_packet<swapped>(block, frame);
    break;
  case interface_description:
    taken = add_interface<swapped>(block);
    break;
  default:
    break;
  }
  if (taken != Step::stop)
    cursor_ += block.body_octets + frame_octets;
  return taken;
}

template <bool swapped>
PcapngReader::Step PcapngReader::begin_section(const Block& block) noexcept {
  if (block.body_octets < 16)
    return refuse("a section header of " + std::to_string(block.body_octets + frame_octets) + " octets, less than 28");
  if (const std::uint16_t major = load16<swapped>(block.body + 4); major != 1)
    return refuse("a section of pcapng version " + std::to_string(major) + ", which is not known");
  swapped_ = swapped;
  interfaces_.clear();
  cursor_ += block.body_octets + frame_octets;
  return Step::passed;
}

template <bool swapped>
PcapngReader::Step PcapngReader::add_interface(const Block& block) noexcept {
  if (block.body_octets < 8)
    return refuse("an interface description too short to be one");
  if (interfaces_.size() == max_interfaces)
    return refuse("more than " + std::to_string(max_interfaces) + " interfaces in one section");
  std::uint8_t resolution = 6;
  std::int64_t offset_s = 0;
  const std::uint8_t* option = block.body + 8;
  const std::uint8_t* const end = block.body + block.body_octets;
  while (end - option >= 4) {
    const std::uint16_t code = load16<swapped>(option);
    const std::uint16_t length = load16<swapped>(option + 2);
    const std::ptrdiff_t padded = (length + 3) & ~3;
    option += 4;
    if (code == end_of_options)
      break;
    if (padded > end - option)
      return refuse("an interface description whose option " + std::to_string(code) + " runs out of the block");
    if (code == if_tsresol && length == 1)
      resolution = *option;
    if (code == if_tsoffset && length == 8)
      offset_s = load64<swapped>(option);
    option += padded;
  }
  const std::uint16_t number = load16<swapped>(block.body);
  const std::uint32_t snap_length = load32<swapped>(block.body + 4);
  interfaces_.push_back({link_type_of(number), number, snap_length, InterfaceClock(resolution, offset_s)});
  return Step::passed;
}

template <bool swapped>
PcapngReader::Step PcapngReader::enhanced_packet(const Block& block, Frame& frame) noexcept {
  constexpr std::uint32_t header = 20;
  if (block.body_octets < header)
    return refuse("an enhanced packet block too short to be one");
  const std::uint8_t* const body = block.body;
  return packet(load32<swapped>(body), load_ticks<swapped>(body + 4), load32<swapped>(body + 12),
                load32<swapped>(body + 16), {body + header, block.body_octets - header}, frame);
}

template <bool swapped>
PcapngReader::Step PcapngReader::obsolete_packet(const Block& block, Frame& frame) noexcept {
  constexpr std::uint32_t header = 20;
  if (block.body_octets < header)
    return refuse("a packet block too short to be one");
  const std::uint8_t* const body = block.body;
  return packet(load16<swapped>(body), load_ticks<swapped>(body + 4), load32<swapped>(body + 12),
                load32<swapped>(body + 16), {body + header, block.body_octets - header}, frame);
}

template <bool swapped>
PcapngReader::Step PcapngReader::simple_packet(const Block& block, Frame& frame) noexcept {
  constexpr std::uint32_t header = 4;
  if (block.body_octets < header)
    return refuse("a simple packet block too short to be one");
  if (interfaces_.empty())
    return refuse("a packet of interface 0, which is not described");
  const std::uint32_t wire = load32<swapped>(block.body);
  const std::uint32_t snap = interfaces_.front().snap_length;
  const std::uint32_t captured = snap == 0 ? wire : std::min(wire, snap);
  const std::uint64_t time_before = last_time_ns_;
  const Step taken = packet(0, 0, captured, wire, {block.body + header, block.body_octets - header}, frame);
  if (taken == Step::frame)
    frame.time_ns = last_time_ns_ = time_before;
  return taken;
}

PcapngReader::Step PcapngReader::packet(std::uint32_t interface, std::uint64_t ticks, std::uint32_t captured,
                                        std::uint32_t wire, Input::Octets room, Frame& frame) noexcept {
  if (interface >= interfaces_.size())
    return refuse("a packet of interface " + std::to_string(interface) + ", which is not described");
  if (captured > room.size())
    return refuse("a packet of " + std::to_string(captured) + " octets in a block with room for " +
                  std::to_string(room.size()));
  const Interface& from = interfaces_[interface];
  if (!from.link) {
    skip(from.number);
    return Step::passed;
  }
  last_time_ns_ = from.clock.nanoseconds(ticks);
  frame = {room.data(), last_time_ns_, std::min(captured, snap_length_), wire, *from.link};
  return Step::frame;
}

void PcapngReader::skip(std::uint32_t link) noexcept {
  ++skipped_;
  const auto known = std::span(skipped_links_).first(skipped_link_count_);
  if (known.size() < skipped_links_.size() && std::ranges::find(known, link) == known.end())
    skipped_links_[skipped_link_count_++] = link;
}

std::string PcapngReader::what_was_skipped() const {
  const std::string packets = std::to_string(skipped_) + (skipped_ == 1 ? " packet was" : " packets were");
  if (skipped_link_count_ == 1)
    return packets + " skipped: link type " + describe_link_type(skipped_links_[0]) + " is not supported";
  std::string links;
  for (const std::uint32_t link : std::span(skipped_links_).first(skipped_link_count_))
    links += (links.empty() ? "" : ", ") + describe_link_type(link);
  return packets + " skipped: link types " + links + " are not supported";
}

} // namespace orbweaver
