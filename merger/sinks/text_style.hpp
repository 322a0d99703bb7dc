// SPDX-License-Identifier: GPL-3.0-or-later
// How formats write what is no number: a missing value, text, a list. Each is a set of functions that write at `out`
// and return the place after what they wrote. Of n octets of text or list they make at most max_growth * n, and the
// constants that field_text.hpp counts. Owned by the merger; no state, any thread.
#pragma once

#include "common/json/escape.hpp"
#include "common/json/text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace orbweaver {

/// Of an octet of text becomes \u00xx at most; of an octet of a list of texts, whose elements have four more, less.
inline constexpr std::size_t max_growth = json::max_string_growth;

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

/// RFC 8259.
struct JsonStyle {
  static char* null(char* out) noexcept { return json::print_null(out); }
  /// Stands on both sides of an address and the like.
  static char* quote(char* out) noexcept {
    *out = '"';
    return out + 1;
  }
  static char* text(std::string_view text, char* out) noexcept { return json::print_string(text, out); }
  /// Stands on both sides of a list, which is JSON in every format.
  static char* list_quote(char* out) noexcept { return out; }
  static char* listed_text(std::string_view text, char* out) noexcept { return json::print_string(text, out); }
};

/// RFC 4180: a missing value is nothing at all, an empty text two quotation marks, a list JSON in quotation marks.
struct CsvStyle {
  static char* null(char* out) noexcept { return out; }
  static char* quote(char* out) noexcept { return out; }
  static char* text(std::string_view text, char* out) noexcept {
    const bool needs_quotes = text.empty() || text.find_first_of(",\"\r\n") != std::string_view::npos;
    if (needs_quotes)
      *out++ = '"';
    while (!text.empty()) {
      const auto octets = static_cast<unsigned char>(text[0]) < 0x80 ? 1 : json::character_octets(text);
      if (text[0] == '"')
        *out++ = '"';
      if (octets == 0) { // Latin-1, as in JSON
        out = json::print_latin1(text[0], out);
      } else {
        std::memcpy(out, text.data(), octets);
        out += octets;
      }
      text.remove_prefix(std::max<std::size_t>(octets, 1));
    }
    if (needs_quotes)
      *out++ = '"';
    return out;
  }
  static char* list_quote(char* out) noexcept {
    *out = '"';
    return out + 1;
  }
  static char* listed_text(std::string_view text, char* out) noexcept { return json::print_string(text, out, "\"\""); }
};

} // namespace orbweaver
