// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/escape.hpp"

#include <cstring>
#include <simdjson.h>

namespace orbweaver::json {

namespace {

char* put(std::string_view part, char* out) noexcept {
  std::memcpy(out, part.data(), part.size());
  return out + part.size();
}

bool stands_as_it_is(char c) noexcept {
  return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
}

/// Prints valid UTF-8, all that needs no escape at once.
char* print_escaped(std::string_view text, std::string_view quote, char* out) noexcept {
  constexpr char digits[] = "0123456789abcdef";
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && stands_as_it_is(text[plain]))
      ++plain;
    out = put(text.substr(0, plain), out);
    text.remove_prefix(plain);
    if (text.empty())
      break;
    const char c = text[0];
    *out++ = '\\';
    if (c == '"') {
      out = put(quote, out);
    } else if (c == '\\') {
      *out++ = c;
    } else {
      out = put("u00", out);
      *out++ = digits[c >> 4];
      *out++ = digits[c & 15];
    }
    text.remove_prefix(1);
  }
  return out;
}

} // namespace

std::size_t character_octets(std::string_view text) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; // RFC 3629, 3
  const auto character = text.substr(0, length);
  return simdjson::validate_utf8(character.data(), character.size()) ? character.size() : 0;
}

std::size_t valid_utf8_octets(std::string_view text) noexcept {
  if (simdjson::validate_utf8(text.data(), text.size()))
    return text.size();
  std::size_t valid = 0;
  while (const auto octets = character_octets(text.substr(valid)))
    valid += octets;
  return valid;
}

char* print_latin1(char octet, char* out) noexcept {
  const auto number = static_cast<unsigned char>(octet);
  *out++ = static_cast<char>(0xC0 | number >> 6);
  *out++ = static_cast<char>(0x80 | (number & 0x3F));
  return out;
}

char* print_string(std::string_view octets, char* out, std::string_view quote) noexcept {
  out = put(quote, out);
  if (simdjson::validate_utf8(octets.data(), octets.size()))
    return put(quote, print_escaped(octets, quote, out));
  while (!octets.empty()) {
    if (const auto character = character_octets(octets)) {
      out = print_escaped(octets.substr(0, character), quote, out);
      octets.remove_prefix(character);
    } else {
      out = print_latin1(octets[0], out);
      octets.remove_prefix(1);
    }
  }
  return put(quote, out);
}

void append_string(std::string& out, std::string_view octets) {
  const auto size = out.size();
  out.resize(size + max_string_growth * octets.size() + 2);
  const char* const end = print_string(octets, out.data() + size);
  out.resize(static_cast<std::size_t>(end - out.data()));
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
