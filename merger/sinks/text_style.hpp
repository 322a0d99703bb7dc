// SPDX-License-Identifier: GPL-3.0-or-later
// How formats write what is no number: a missing value, text, a list. Each is a set of functions that write at `out`
// and return the place after what they wrote. Of n octets of text or list they make at most max_growth * n, and the
// constants that field_text.hpp counts. Owned by the merger; no state, any thread.
#pragma once

#include "common/json/text.hpp"

#include <cstddef>
#include <cstring>
#include <simdjson.h>
#include <span>
#include <string_view>

namespace orbweaver {

/// Of an octet of text becomes \u00xx at most; of an octet of a list of texts, whose elements have four more, less.
inline constexpr std::size_t max_growth = 6;

[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> octets) noexcept {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

/// Octets without the words around them, in hexadecimal.
inline char* print_hex(std::span<const std::byte> octets, char* out) noexcept {
  for (const auto octet : octets) {
    std::memcpy(out, &json::detail::hex_pairs[std::size_t{2} * static_cast<std::uint8_t>(octet)], 2);
    out += 2;
  }
  return out;
}

/// Text as a JSON string, `quote` standing for each quotation mark. What is not UTF-8 is taken for Latin-1.
inline char* print_json_string(std::string_view text, std::string_view quote, char* out) noexcept {
  const auto put = [&out](std::string_view part) {
    std::memcpy(out, part.data(), part.size());
    out += part.size();
  };
  const bool is_utf8 = simdjson::validate_utf8(text.data(), text.size());
  put(quote);
  for (const char c : text) {
    const auto octet = static_cast<std::uint8_t>(c);
    if (octet < 0x20 || (octet >= 0x80 && !is_utf8)) {
      put("\\u00");
      std::memcpy(out, &json::detail::hex_pairs[std::size_t{2} * octet], 2);
      out += 2;
    } else if (c == '"') {
      put("\\");
      put(quote);
    } else if (c == '\\') {
      put("\\\\");
    } else {
      *out++ = c;
    }
  }
  put(quote);
  return out;
}

/// RFC 8259.
struct JsonStyle {
  static char* null(char* out) noexcept { return json::print_null(out); }
  /// Stands on both sides of an address and the like.
  static char* quote(char* out) noexcept {
    *out = '"';
    return out + 1;
  }
  static char* text(std::string_view text, char* out) noexcept { return print_json_string(text, "\"", out); }
  /// Stands on both sides of a list, which is JSON in every format.
  static char* list_quote(char* out) noexcept { return out; }
  static char* listed_text(std::string_view text, char* out) noexcept { return print_json_string(text, "\"", out); }
};

/// RFC 4180: a missing value is nothing at all, an empty text two quotation marks, a list JSON in quotation marks.
struct CsvStyle {
  static char* null(char* out) noexcept { return out; }
  static char* quote(char* out) noexcept { return out; }
  static char* text(std::string_view text, char* out) noexcept {
    const bool is_utf8 = simdjson::validate_utf8(text.data(), text.size());
    const bool needs_quotes = text.empty() || text.find_first_of(",\"\r\n") != std::string_view::npos;
    if (needs_quotes)
      *out++ = '"';
    for (const char c : text) {
      const auto octet = static_cast<std::uint8_t>(c);
      if (octet >= 0x80 && !is_utf8) { // Latin-1 in UTF-8
        *out++ = static_cast<char>(0xC0 | octet >> 6);
        *out++ = static_cast<char>(0x80 | (octet & 0x3F));
        continue;
      }
      if (c == '"')
        *out++ = '"';
      *out++ = c;
    }
    if (needs_quotes)
      *out++ = '"';
    return out;
  }
  static char* list_quote(char* out) noexcept {
    *out = '"';
    return out + 1;
  }
  static char* listed_text(std::string_view text, char* out) noexcept { return print_json_string(text, "\"\"", out); }
};

} // namespace orbweaver
