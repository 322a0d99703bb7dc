// SPDX-License-Identifier: GPL-3.0-or-later
// Values as JSON text, printed straight into memory. Every printer writes at `out`, returns the place after its text,
// and may overwrite up to text_slack octets behind it: copies of a fixed size are several times as fast as exact ones.
// Owned by the merger; no state, any thread.
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

/// "00" to "99", one after the other.
inline constexpr auto digit_pairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

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

inline constexpr std::array<std::uint64_t, 20> powers_of_ten = [] {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (auto& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}();

inline char* print_pair(std::uint64_t value, char* out) noexcept {
  std::memcpy(out, &digit_pairs[2 * value], 2);
  return out + 2;
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
  // log10(2) is about 1233 / 4096; the estimate is one too low or right.
  auto digits = static_cast<std::size_t>(std::bit_width(value)) * 1233 >> 12;
  digits += value >= detail::powers_of_ten[digits];
  char* at = out + digits;
  while (value >= 100) {
    at -= 2;
    detail::print_pair(value % 100, at);
    value /= 100;
  }
  if (value >= 10)
    detail::print_pair(value, at - 2);
  else
    at[-1] = static_cast<char>('0' + value);
  return out + digits;
}

/// Nanoseconds as seconds with all their digits; zeros at the end are left out down to one decimal, so that it reads
/// as a float everywhere: 1213855701.147824, 1213855701.0. At most 21 octets.
inline char* print_seconds(std::uint64_t ns, char* out) noexcept {
  constexpr std::uint64_t second = 1'000'000'000;
  auto fraction = static_cast<std::uint32_t>(ns % second);
  out = print_number(ns / second, out);
  *out++ = '.';
  out[0] = static_cast<char>('0' + fraction / 100'000'000);
  fraction %= 100'000'000;
  detail::print_pair(fraction / 1'000'000, out + 1);
  detail::print_pair(fraction / 10'000 % 100, out + 3);
  detail::print_pair(fraction / 100 % 100, out + 5);
  detail::print_pair(fraction % 100, out + 7);
  std::size_t digits = 9;
  while (digits > 1 && out[digits - 1] == '0')
    --digits;
  return out + digits;
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
