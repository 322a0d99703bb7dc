// SPDX-License-Identifier: GPL-3.0-or-later
// Values as JSON text, printed straight into memory. Every printer writes at `out`, returns the place after its text,
// and may overwrite up to text_slack octets behind it: copies of a fixed size are several times as fast as exact ones.
// No state, any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace orbweaver::json {

/// What a printer may overwrite behind its text.
inline constexpr std::size_t text_slack = 8;

namespace detail {

/// The decimal text of every octet, followed by a dot, and the length without the dot.
struct OctetText {
  char text[4];
  std::uint8_t length;
};
inline constexpr auto octet_texts = [] {
  std::array<OctetText, 256> texts{};
  for (unsigned value = 0; value < 256; ++value) {
    auto& [text, length] = texts[value];
    if (value >= 100)
      text[length++] = static_cast<char>('0' + value / 100);
    if (value >= 10)
      text[length++] = static_cast<char>('0' + value / 10 % 10);
    text[length++] = static_cast<char>('0' + value % 10);
    text[length] = '.';
  }
  return texts;
}();

/// "00" to "ff", one after the other.
inline constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = digits[i >> 4];
    pairs[2 * i + 1] = digits[i & 15];
  }
  return pairs;
}();

/// For every set of zero groups in an IPv6 address (bit i: group i is zero) the longest run of two or more, the first
/// one where several are as long (RFC 5952, 4.2.3).
struct ZeroRun {
  std::uint8_t begin, length;
};
inline constexpr auto zero_runs = [] {
  std::array<ZeroRun, 256> runs{};
  for (unsigned zeros = 0; zeros < 256; ++zeros) {
    for (unsigned begin = 0; begin < 8; ++begin) {
      const auto length = static_cast<unsigned>(std::countr_one(zeros >> begin));
      if (length >= 2 && length > runs[zeros].length)
        runs[zeros] = {static_cast<std::uint8_t>(begin), static_cast<std::uint8_t>(length)};
    }
  }
  return runs;
}();

/// The eight decimal digits of a value below 10^8, an octet each, the first one in the lowest. All at once and without
/// a branch: two halves of four, four pairs, eight digits; quotients by multiplication, exact for the ranges at hand.
constexpr std::uint64_t eight_digits(std::uint32_t value) noexcept {
  std::uint64_t digits = value / 10'000 | std::uint64_t{value % 10'000} << 32;
  std::uint64_t tens = digits * 5'243 >> 19 & 0x0000'007F'0000'007F; // of hundreds
  digits = tens | (digits - tens * 100) << 16;
  tens = digits * 103 >> 10 & 0x000F'000F'000F'000F;
  return tens | (digits - tens * 10) << 8;
}

inline void put_digits(std::uint64_t digits, char* out) noexcept {
  digits |= 0x3030'3030'3030'3030;
  if constexpr (std::endian::native == std::endian::big)
    digits = __builtin_bswap64(digits);
  std::memcpy(out, &digits, sizeof digits);
}

/// One group of an IPv6 address, in lower case without leading zeros.
inline char* print_group(std::uint8_t high, std::uint8_t low, char* out) noexcept {
  char text[8];
  std::memcpy(text, &hex_pairs[std::size_t{2} * high], 2);
  std::memcpy(text + 2, &hex_pairs[std::size_t{2} * low], 2);
  std::memcpy(text + 4, text, 4); // so that four octets are there from any digit on
  const auto zeros = static_cast<unsigned>(std::countl_zero(static_cast<std::uint16_t>(high << 8 | low | 1))) / 4;
  std::memcpy(out, text + zeros, 4);
  return out + 4 - zeros;
}

} // namespace detail

inline char* print_null(char* out) noexcept {
  std::memcpy(out, "null", 4);
  return out + 4;
}

inline char* print_boolean(bool value, char* out) noexcept {
  static constexpr char texts[2][8] = {"false", "true"};
  std::memcpy(out, texts[value], 8);
  return out + 5 - value;
}

inline char* print_octet(std::uint8_t value, char* out) noexcept {
  const auto& octet = detail::octet_texts[value];
  std::memcpy(out, octet.text, 4);
  return out + octet.length;
}

/// At most 20 octets.
inline char* print_number(std::uint64_t value, char* out) noexcept {
  if (value < 256)
    return print_octet(static_cast<std::uint8_t>(value), out);
  constexpr std::uint64_t eight = 100'000'000;
  const std::uint64_t digits = detail::eight_digits(static_cast<std::uint32_t>(value % eight));
  if (value >= eight) {
    out = print_number(value / eight, out);
    detail::put_digits(digits, out);
    return out + 8;
  }
  const int zeros = std::countr_zero(digits) / 8;
  detail::put_digits(digits >> 8 * zeros, out);
  return out + 8 - zeros;
}

/// Nanoseconds as seconds with all their digits; zeros at the end are left out down to one decimal, so that it reads
/// as a float everywhere: 1213855701.147824, 1213855701.0. At most 21 octets.
inline char* print_seconds(std::uint64_t ns, char* out) noexcept {
  constexpr std::uint64_t second = 1'000'000'000;
  const auto fraction = static_cast<std::uint32_t>(ns % second);
  out = print_number(ns / second, out);
  out[0] = '.';
  out[1] = static_cast<char>('0' + fraction / 100'000'000);
  const std::uint64_t rest = detail::eight_digits(fraction % 100'000'000);
  detail::put_digits(rest, out + 2);
  return out + 10 - std::countl_zero(rest) / 8;
}

/// Four octets in network order, dotted. At most 15 octets.
inline char* print_ipv4(const std::uint8_t* octets, char* out) noexcept {
  for (int i = 0; i < 4; ++i)
    out = print_octet(octets[i], out) + 1; // over the dot
  return out - 1;
}

/// Sixteen octets in network order, by RFC 5952; an IPv4-mapped or IPv4-compatible address ends dotted, as inet_ntop
/// prints it. At most 39 octets.
inline char* print_ipv6(const std::uint8_t* octets, char* out) noexcept {
  unsigned zeros = 0;
  for (unsigned i = 0; i < 8; ++i)
    zeros |= static_cast<unsigned>((octets[2 * i] | octets[2 * i + 1]) == 0) << i;
  const auto run = detail::zero_runs[zeros];
  if (run.begin == 0 && (run.length == 6 || (run.length == 5 && octets[10] == 0xFF && octets[11] == 0xFF))) {
    std::memcpy(out, "::ffff:", 7);
    return print_ipv4(octets + 12, out + (run.length == 6 ? 2 : 7));
  }
  for (unsigned i = 0; i < 8; ++i) {
    if (i == run.begin && run.length > 0) {
      *out++ = ':';
      i += run.length;
      if (i == 8) {
        *out++ = ':';
        break;
      }
    }
    if (i > 0)
      *out++ = ':';
    out = detail::print_group(octets[2 * i], octets[2 * i + 1], out);
  }
  return out;
}

} // namespace orbweaver::json
