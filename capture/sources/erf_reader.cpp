// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/erf_reader.hpp"

#include "capture/dissect/octets.hpp"

#include <algorithm>

namespace orbweaver {
namespace {

enum ErfType : std::uint32_t {
  hdlc_pos = 1,
  eth = 2,
  color_hdlc_pos = 10,
  color_eth = 11,
  dsm_color_hdlc_pos = 15,
  dsm_color_eth = 16,
  color_hash_pos = 19,
  color_hash_eth = 20,
  ipv4 = 22,
  ipv6 = 23,
  meta = 27, // what the card says of itself
  pad = 48,
};

constexpr std::uint8_t more_headers = 0x80; // of a type: eight octets more follow the header
constexpr std::uint8_t receive_error = 0x10;
constexpr std::uint32_t extension_octets = 8;
constexpr std::uint32_t frame_check_octets = 4;
constexpr std::uint32_t ethernet_padding = 2;

} // namespace

std::uint64_t erf_time_ns(const std::uint8_t* at) noexcept {
  constexpr std::uint64_t second_ns = 1'000'000'000;
  return le32(at + 4) * second_ns + (le32(at) * second_ns >> 32);
}

Decoded decode_erf_record(const std::uint8_t* record, std::uint32_t octets, Frame& frame,
                          std::uint32_t& type) noexcept {
  type = record[8] & ~std::uint32_t{more_headers};
  std::uint32_t framing = erf_header_octets;
  std::uint32_t trailer = frame_check_octets;
  switch (type) {
  case eth:
  case color_eth:
  case dsm_color_eth:
  case color_hash_eth:
    frame.link = LinkType::ethernet;
    framing += ethernet_padding;
    break;
  case hdlc_pos:
  case color_hdlc_pos:
  case dsm_color_hdlc_pos:
  case color_hash_pos:
    frame.link = LinkType::ppp_serial;
    break;
  case ipv4:
  case ipv6:
    frame.link = LinkType::raw_ip;
    trailer = 0;
    break;
  case meta:
  case pad:
    return Decoded::passed;
  default:
    return Decoded::unsupported;
  }
  if ((record[9] & receive_error) != 0)
    return Decoded::passed;
  for (std::uint32_t at = 8; (record[at] & more_headers) != 0; framing += extension_octets) {
    at = at == 8 ? erf_header_octets : at + extension_octets;
    if (at + extension_octets > octets)
      return Decoded::damaged;
  }
  if (octets < framing)
    return Decoded::damaged;
  frame.data = record + framing;
  frame.time_ns = erf_time_ns(record);
  frame.wire_length = left_after(be16(record + 14), trailer);
  frame.captured_length = std::min(octets - framing, frame.wire_length);
  return Decoded::frame;
}

std::size_t ErfReader::take(std::span<Frame> out) noexcept {
  std::size_t count = 0;
  while (count < out.size()) {
    if (octets_left() < erf_header_octets) {
      incomplete(erf_header_octets);
      break;
    }
    const std::uint32_t octets = static_cast<std::uint32_t>(be16(cursor_ + 10)); // the record, its header included
    std::uint32_t type = cursor_[8] & ~std::uint32_t{more_headers};
    if (octets < erf_header_octets) {
      if (count == 0)
        fault("an ERF record of type " + std::to_string(type) + " that says it has " + std::to_string(octets) +
              " octets, less than its header" +
              (type == 0 ? ": older cards wrote records without a length: name them legacyeth: or legacypos:" : ""));
      break;
    }
    if (octets > octets_left()) {
      incomplete(octets);
      break;
    }
    prefetch_ahead(cursor_);
    Frame& frame = out[count];
    const Decoded decoded = decode_erf_record(cursor_, octets, frame, type);
    if (decoded == Decoded::damaged) {
      if (count == 0)
        fault("an ERF record of type " + std::to_string(type) + " whose headers do not fit into its " +
              std::to_string(octets) + " octets");
      break;
    }
    if (decoded == Decoded::frame) {
      frame.captured_length = std::min(frame.captured_length, snap_length_);
      ++count;
    } else if (decoded == Decoded::unsupported && skipped_++ == 0) {
      skipped_type_ = type;
    }
    cursor_ += octets;
  }
  return count;
}

std::string ErfReader::what_was_skipped() const {
  return std::to_string(skipped_) + " records were skipped: ERF record type " + std::to_string(skipped_type_) +
         " carries no packets that are understood";
}

std::string ErfReader::nothing_else() const {
  return "ERF record type " + std::to_string(skipped_type_) +
         " carries no packets that are understood, and there are no others";
}

} // namespace orbweaver
