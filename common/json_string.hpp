// SPDX-License-Identifier: GPL-3.0-or-later
// Text as a JSON string (RFC 8259, 7), for those who make a few members by hand. No state, any thread.
#pragma once

#include <string>
#include <string_view>

namespace orbweaver {

/// Appends `text`, which is valid UTF-8, with its quotes.
inline void append_json_string(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4];
      out += digits[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

} // namespace orbweaver
