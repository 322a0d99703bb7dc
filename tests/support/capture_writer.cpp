// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/capture_writer.hpp"

#include <algorithm>
#include <stdexcept>

namespace orbweaver::craft {
namespace {

__extension__ using Wide = __int128; // nanoseconds times a resolution

constexpr std::int64_t ns_per_s = 1'000'000'000;

constexpr std::uint32_t section_block = 0x0a0d0d0a;
constexpr std::uint32_t interface_block = 1;
constexpr std::uint32_t obsolete_packet_block = 2;
constexpr std::uint32_t simple_packet_block = 3;
constexpr std::uint32_t name_resolution_block = 4;
constexpr std::uint32_t interface_statistics_block = 5;
constexpr std::uint32_t enhanced_packet_block = 6;
constexpr std::uint32_t custom_block = 0xbad;
constexpr std::uint32_t custom_block_not_copied = 0x40000bad;

constexpr std::uint16_t option_time_resolution = 9;
constexpr std::uint16_t option_time_offset = 14;
constexpr std::uint16_t option_received = 4;

constexpr std::size_t section_length_field = 16; // from the start of the block

std::uint32_t length_of(const Bytes& frame) {
  return static_cast<std::uint32_t>(frame.size());
}

} // namespace

PcapWriter::PcapWriter(const Options& options) : options_(options) {
  const std::endian order = options.order;
  append_u32(bytes_, options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, order);
  append_u16(bytes_, 2, order);
  append_u16(bytes_, 4, order);
  append_u64(bytes_, 0, order); // time zone, accuracy
  append_u32(bytes_, options.snap_length, order);
  append_u32(bytes_, options.link_type, order);
}

PcapWriter& PcapWriter::packet(std::int64_t time_ns, const Bytes& frame, std::optional<std::uint32_t> wire_length) {
  const auto fraction_ns = static_cast<std::uint64_t>(time_ns % ns_per_s);
  const std::uint32_t captured = std::min(length_of(frame), options_.snap_length);
  append_u32(bytes_, static_cast<std::uint64_t>(time_ns / ns_per_s), options_.order);
  append_u32(bytes_, options_.nanoseconds ? fraction_ns : fraction_ns / 1000, options_.order);
  append_u32(bytes_, captured, options_.order);
  append_u32(bytes_, wire_length.value_or(length_of(frame)), options_.order);
  append(bytes_, std::span(frame).first(captured));
  return *this;
}

BlockOption comment(std::string_view text) {
  return {1, to_bytes(text)};
}

PcapngWriter& PcapngWriter::section(std::endian order, bool with_length, const BlockOptions& options) {
  order_ = order;
  interfaces_.clear();
  section_at_.reset();
  if (with_length)
    section_at_ = bytes_.size();
  Bytes body;
  append_u32(body, 0x1a2b3c4d, order);
  append_u16(body, 1, order);
  append_u16(body, 0, order);
  append_u64(body, ~std::uint64_t{0}, order);
  append_options(body, options);
  block(section_block, std::move(body));
  section_body_at_ = bytes_.size();
  return *this;
}

PcapngWriter& PcapngWriter::end_section() {
  if (!section_at_)
    throw std::logic_error("this section was begun without a length");
  Bytes length;
  append_u64(length, bytes_.size() - section_body_at_, order_);
  std::copy(length.begin(), length.end(),
            bytes_.begin() + static_cast<std::ptrdiff_t>(*section_at_ + section_length_field));
  section_at_.reset();
  return *this;
}

PcapngWriter& PcapngWriter::interface(const Interface& description) {
  interfaces_.push_back(description);
  Bytes body;
  append_u16(body, description.link_type, order_);
  append_u16(body, 0, order_);
  append_u32(body, description.snap_length, order_);
  BlockOptions options = description.options;
  if (description.time_resolution)
    options.push_back({option_time_resolution, {*description.time_resolution}});
  if (description.time_offset_s) {
    Bytes offset;
    append_u64(offset, static_cast<std::uint64_t>(*description.time_offset_s), order_);
    options.push_back({option_time_offset, std::move(offset)});
  }
  append_options(body, options);
  return block(interface_block, std::move(body));
}

PcapngWriter& PcapngWriter::enhanced_packet(std::uint32_t interface, std::int64_t time_ns, const Bytes& frame,
                                            std::optional<std::uint32_t> wire_length, const BlockOptions& options) {
  Bytes body;
  append_u32(body, interface, order_);
  append_time(body, interface, time_ns);
  append_u32(body, frame.size(), order_);
  append_u32(body, wire_length.value_or(length_of(frame)), order_);
  append(body, frame);
  pad_to_multiple(body, 4);
  append_options(body, options);
  return block(enhanced_packet_block, std::move(body));
}

PcapngWriter& PcapngWriter::simple_packet(const Bytes& frame, std::optional<std::uint32_t> wire_length) {
  const std::uint32_t limit = interfaces_.empty() ? 0 : interfaces_.front().snap_length;
  const std::uint32_t captured = limit == 0 ? length_of(frame) : std::min(limit, length_of(frame));
  Bytes body;
  append_u32(body, wire_length.value_or(length_of(frame)), order_);
  append(body, std::span(frame).first(captured));
  return block(simple_packet_block, std::move(body));
}

PcapngWriter& PcapngWriter::obsolete_packet(std::uint16_t interface, std::int64_t time_ns, const Bytes& frame,
                                            std::optional<std::uint32_t> wire_length, std::uint16_t drops) {
  Bytes body;
  append_u16(body, interface, order_);
  append_u16(body, drops, order_);
  append_time(body, interface, time_ns);
  append_u32(body, frame.size(), order_);
  append_u32(body, wire_length.value_or(length_of(frame)), order_);
  append(body, frame);
  return block(obsolete_packet_block, std::move(body));
}

PcapngWriter& PcapngWriter::name_resolution(std::span<const std::uint8_t, 4> address, std::string_view name) {
  constexpr std::uint16_t ipv4_record = 1;
  Bytes body;
  append_u16(body, ipv4_record, order_);
  append_u16(body, address.size() + name.size() + 1, order_);
  append(body, address);
  append(body, to_bytes(name));
  append_u8(body, 0);
  pad_to_multiple(body, 4);
  append_u32(body, 0); // end of records
  return block(name_resolution_block, std::move(body));
}

PcapngWriter& PcapngWriter::interface_statistics(std::uint32_t interface, std::int64_t time_ns,
                                                 std::uint64_t received) {
  Bytes body;
  append_u32(body, interface, order_);
  append_time(body, interface, time_ns);
  Bytes count;
  append_u64(count, received, order_);
  append_options(body, {{option_received, std::move(count)}});
  return block(interface_statistics_block, std::move(body));
}

PcapngWriter& PcapngWriter::custom(std::uint32_t enterprise, const Bytes& data, bool may_be_copied) {
  Bytes body;
  append_u32(body, enterprise, order_);
  append(body, data);
  return block(may_be_copied ? custom_block : custom_block_not_copied, std::move(body));
}

PcapngWriter& PcapngWriter::block(std::uint32_t type, Bytes body) {
  pad_to_multiple(body, 4);
  const std::size_t total = body.size() + 12;
  append_u32(bytes_, type, order_);
  append_u32(bytes_, total, order_);
  append(bytes_, body);
  append_u32(bytes_, total, order_);
  return *this;
}

std::uint64_t PcapngWriter::units_since_epoch(std::size_t interface, std::int64_t time_ns) const {
  constexpr std::uint8_t microseconds = 6;
  const Interface description = interface < interfaces_.size() ? interfaces_[interface] : Interface();
  const unsigned resolution = description.time_resolution.value_or(microseconds);
  Wide units_per_s = 1;
  for (unsigned i = resolution & 0x7fU; i > 0; --i)
    units_per_s *= (resolution & power_of_two) != 0 ? 2 : 10;
  const Wide since_offset_ns = Wide{time_ns} - Wide{description.time_offset_s.value_or(0)} * ns_per_s;
  return static_cast<std::uint64_t>(since_offset_ns * units_per_s / ns_per_s);
}

void PcapngWriter::append_time(Bytes& body, std::size_t interface, std::int64_t time_ns) const {
  const std::uint64_t units = units_since_epoch(interface, time_ns);
  append_u32(body, units >> 32, order_);
  append_u32(body, units, order_);
}

void PcapngWriter::append_options(Bytes& body, const BlockOptions& options) const {
  if (options.empty())
    return;
  for (const auto& [code, value] : options) {
    append_u16(body, code, order_);
    append_u16(body, value.size(), order_);
    append(body, value);
    pad_to_multiple(body, 4);
  }
  append_u32(body, 0); // end of options
}

} // namespace orbweaver::craft
