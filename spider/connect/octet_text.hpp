// SPDX-License-Identifier: GPL-3.0-or-later
// Octets from the network as text that may stand in JSON. No state, any thread.
#pragma once

#include "common/json_string.hpp"

#include <simdjson.h>
#include <string>
#include <string_view>

namespace orbweaver {

/// Valid UTF-8: what is valid in `octets` as it is, every other octet as the character of its number (0xE9: U+00E9).
[[nodiscard]] inline std::string utf8_text(std::string_view octets) {
  if (simdjson::validate_utf8(octets))
    return std::string(octets);
  std::string text;
  text.reserve(octets.size() + octets.size() / 2);
  while (!octets.empty()) {
    const auto lead = static_cast<unsigned char>(octets[0]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; // RFC 3629, 3
    const auto character = octets.substr(0, length);
    if (simdjson::validate_utf8(character)) {
      text += character;
      octets.remove_prefix(character.size());
    } else {
      text += static_cast<char>(0xC0 | lead >> 6);
      text += static_cast<char>(0x80 | (lead & 0x3F));
      octets.remove_prefix(1);
    }
  }
  return text;
}

/// Appends the octets as a JSON string with its quotes.
inline void append_octets_string(std::string& out, std::string_view octets) {
  append_json_string(out, utf8_text(octets));
}

/// Appends `,"name":` (`"name":` where `out` is empty or begins an object), for names that need no escaping.
inline void append_json_name(std::string& out, std::string_view name) {
  if (!out.empty() && out.back() != '{')
    out += ',';
  out += '"';
  out += name;
  out += "\":";
}

} // namespace orbweaver
