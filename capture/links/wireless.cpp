// SPDX-License-Identifier: GPL-3.0-or-later
// IEEE 802.11, and what drivers put before its frames.
#include "capture/links/link_cursor.hpp"

#include <cstring>

namespace orbweaver::links {
namespace {

/// The first of the frames that are sent as one (IEEE 802.11, 9.3.2.2.2): addresses, length, LLC.
NetworkLayer first_subframe(Cursor cursor) noexcept {
  if (!cursor.has(14))
    return cut;
  const std::uint16_t length = be16(cursor.at(12));
  cursor.skip(14);
  cursor.limit(length);
  return llc(cursor);
}

} // namespace

/// Data frames that are not encrypted, and no later fragments. `is_padded`: the header is filled to four octets.
NetworkLayer ieee802_11(Cursor cursor, bool is_padded) noexcept {
  constexpr std::uint8_t version_and_type = 0x0f, data = 0x08, null_data = 0x40, quality = 0x80;
  constexpr std::uint8_t both_ways = 0x03, encrypted = 0x40, order = 0x80, aggregated = 0x80;
  if (!cursor.has(2))
    return cut;
  const std::uint8_t kind = cursor.at()[0], flags = cursor.at()[1];
  if ((kind & version_and_type) != data || (kind & null_data) || (flags & encrypted))
    return other;
  std::uint32_t header = (flags & both_ways) == both_ways ? 30 : 24;
  const std::uint32_t control_at = header;
  if (kind & quality)
    header += flags & order ? 6 : 2; // with its own control, and that of high throughput
  if (is_padded)
    header = (header + 3) & ~3U;
  if (!cursor.has(header))
    return cut;
  const bool is_first = (cursor.at()[22] & 0x0f) == 0;
  const bool is_aggregate = (kind & quality) && (cursor.at()[control_at] & aggregated);
  cursor.skip(header);
  if (!is_first)
    return other;
  return is_aggregate ? first_subframe(cursor) : llc(cursor);
}

/// A version, a length, and fields that bits announce, the flags second (radiotap.org). All little endian.
NetworkLayer radiotap(Cursor cursor) noexcept {
  constexpr std::uint32_t has_time = 1, has_flags = 2, more_words = 0x8000'0000;
  constexpr std::uint8_t has_check_sequence = 0x10, is_padded = 0x20;
  constexpr std::uint32_t fixed_octets = 8, check_octets = 4;
  if (!cursor.has(fixed_octets))
    return cut;
  const std::uint32_t length = le16(cursor.at(2));
  if (cursor.at()[0] != 0 || length < fixed_octets)
    return other;
  if (!cursor.has(length))
    return cut;
  const std::uint32_t present = le32(cursor.at(4));
  std::uint32_t at = 4;
  do
    at += 4;
  while (at + 4 <= length && (le32(cursor.at(at - 4)) & more_words));
  if (present & has_time)
    at = ((at + 7) & ~7U) + 8;
  const std::uint8_t flags = (present & has_flags) && at < length ? *cursor.at(at) : std::uint8_t{0};
  cursor.skip(length);
  if (flags & has_check_sequence)
    cursor.trim(check_octets);
  return ieee802_11(cursor, flags & is_padded);
}

/// A magic number, and the header's length.
NetworkLayer avs(Cursor cursor) noexcept {
  constexpr std::uint32_t magic = 0x8021'1000, fixed_octets = 8;
  if (!cursor.has(fixed_octets))
    return cut;
  const std::uint32_t length = be32(cursor.at(4));
  if ((be32(cursor.at()) & 0xffff'f000) != magic || length < fixed_octets)
    return other;
  if (!cursor.has(length))
    return cut;
  cursor.skip(length);
  return ieee802_11(cursor);
}

/// 144 octets; some drivers wrote AVS headers under the same number.
NetworkLayer prism(Cursor cursor) noexcept {
  constexpr std::uint32_t octets = 144;
  if (!cursor.has(4))
    return cut;
  if ((be32(cursor.at()) & 0xffff'f000) == 0x8021'1000)
    return avs(cursor);
  if (!cursor.has(octets))
    return cut;
  cursor.skip(octets);
  return ieee802_11(cursor);
}

} // namespace orbweaver::links
