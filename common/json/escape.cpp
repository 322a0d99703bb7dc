// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/escape.hpp"

#include <simdjson.h>

namespace orbweaver::json {

namespace {

/// Octets of the character that the text begins with, which is not empty; 0 where that is none.
std::size_t character_octets(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; // RFC 3629, 3
  const auto character = text.substr(0, length);
  return simdjson::validate_utf8(character.data(), character.size()) ? character.size() : 0;
}

bool stands_as_it_is(char c) noexcept {
  return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
}

/// Appends valid UTF-8, all that needs no escape at once.
void append_escaped(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && stands_as_it_is(text[plain]))
      ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty())
      return;
    const char c = text[0];
    out += '\\';
    if (c == '"' || c == '\\')
      out += c;
    else
      out.append("u00").append({digits[c >> 4], digits[c & 15]});
    text.remove_prefix(1);
  }
}

} // namespace

std::size_t valid_utf8_octets(std::string_view text) noexcept {
  if (simdjson::validate_utf8(text.data(), text.size()))
    return text.size();
  std::size_t valid = 0;
  while (const auto octets = character_octets(text.substr(valid)))
    valid += octets;
  return valid;
}

void append_string(std::string& out, std::string_view octets) {
  out += '"';
  if (simdjson::validate_utf8(octets.data(), octets.size())) {
    append_escaped(out, octets);
  } else {
    while (!octets.empty()) {
      if (const auto character = character_octets(octets)) {
        append_escaped(out, octets.substr(0, character));
        octets.remove_prefix(character);
      } else {
        const auto octet = static_cast<unsigned char>(octets[0]);
        out += static_cast<char>(0xC0 | octet >> 6);
        out += static_cast<char>(0x80 | (octet & 0x3F));
        octets.remove_prefix(1);
      }
    }
  }
  out += '"';
}

std::string unescaped(std::string_view written) {
  if (written.find('\\') == written.npos)
    return std::string(written);
  simdjson::dom::parser parser;
  const auto text = std::string("\"").append(written).append("\"");
  std::string_view said;
  // Half of a surrogate pair is valid in JSON and no character: it stays as it is written.
  return parser.parse(text).get(said) == simdjson::SUCCESS ? std::string(said) : std::string(written);
}

} // namespace orbweaver::json
