// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/json_writer.hpp"

#include "common/json_string.hpp"

#include <simdjson.h>
#include <spdlog/fmt/fmt.h>

namespace orbweaver {

namespace {

std::string from_latin1(std::string_view text) {
  std::string converted;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0x80)
      converted += static_cast<char>(0xC0 | octet >> 6);
    converted += static_cast<char>(octet < 0x80 ? octet : 0x80 | (octet & 0x3F));
  }
  return converted;
}

/// Text that is not UTF-8 (a file's name may be anything) is taken for Latin-1, so that the document stays valid.
std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, simdjson::validate_utf8(text) ? std::string(text) : from_latin1(text));
  return out;
}

} // namespace

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  text_ += quoted(name) + (layout_ == Layout::indented ? ": " : ":");
  after_key_ = true;
  return *this;
}

void JsonWriter::value(std::string_view text) {
  scalar(quoted(text));
}

void JsonWriter::value(double number) {
  scalar(fmt::format("{:.3f}", number));
}

void JsonWriter::begin(char bracket) {
  separate();
  text_ += bracket;
  has_members_.push_back(false);
}

void JsonWriter::end(char bracket) {
  const bool had_members = has_members_.back();
  has_members_.pop_back();
  if (had_members)
    new_line();
  text_ += bracket;
}

void JsonWriter::scalar(std::string_view text) {
  separate();
  text_ += text;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_members_.empty())
    return;
  if (has_members_.back())
    text_ += ',';
  has_members_.back() = true;
  new_line();
}

void JsonWriter::new_line() {
  if (layout_ == Layout::indented)
    text_ += '\n' + std::string(2 * has_members_.size(), ' ');
}

} // namespace orbweaver
