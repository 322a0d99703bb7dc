// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/json_members.hpp"

#include <algorithm>
#include <cstddef>
#include <simdjson.h>

namespace orbweaver {

namespace {

constexpr unsigned max_depth = 1024;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Reads JSON text from left to right. Each function stands before what it reads and ends behind it, or says false.
class Scanner {
public:
  explicit Scanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool members(std::vector<JsonMember>& members) {
    skip_space();
    while (at_ != end_) {
      JsonMember member;
      if (!key(member.key))
        return false;
      const char* const begin = at_;
      if (!value(1))
        return false;
      member.value = {begin, static_cast<std::size_t>(at_ - begin)};
      members.push_back(member);
      skip_space();
      if (at_ == end_)
        return true;
      if (!take(','))
        return false;
      skip_space();
      if (at_ == end_)
        return false;
    }
    return true;
  }

private:
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r'))
      ++at_;
  }

  bool take(char c) {
    if (at_ == end_ || *at_ != c)
      return false;
    ++at_;
    return true;
  }

  bool take(std::string_view word) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
      return false;
    at_ += word.size();
    return true;
  }

  /// A key, its colon, and the space after that.
  bool key(std::string_view& key) {
    const char* const begin = at_ + 1;
    if (!string())
      return false;
    key = {begin, static_cast<std::size_t>(at_ - begin - 1)};
    skip_space();
    if (!take(':'))
      return false;
    skip_space();
    return true;
  }

  bool value(unsigned depth) {
    if (at_ == end_ || depth > max_depth)
      return false;
    switch (*at_) {
    case '"':
      return string();
    case '{':
      return list('}', [&] {
        std::string_view ignored;
        return key(ignored) && value(depth + 1);
      });
    case '[':
      return list(']', [&] { return value(depth + 1); });
    case 't':
      return take("true");
    case 'f':
      return take("false");
    case 'n':
      return take("null");
    default:
      return number();
    }
  }

  template <typename Item>
  bool list(char closing, Item&& item) {
    ++at_;
    skip_space();
    if (take(closing))
      return true;
    for (;;) {
      if (!item())
        return false;
      skip_space();
      if (take(closing))
        return true;
      if (!take(','))
        return false;
      skip_space();
    }
  }

  bool string() {
    if (!take('"'))
      return false;
    for (;;) {
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
        ++at_;
      if (take('"'))
        return true;
      if (!take('\\') || !escaped())
        return false;
    }
  }

  /// What follows a backslash.
  bool escaped() {
    if (at_ == end_)
      return false;
    const char c = *at_++;
    if (c != 'u')
      return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    if (end_ - at_ < 4 || !std::all_of(at_, at_ + 4, is_hex_digit))
      return false;
    at_ += 4;
    return true;
  }

  bool digits() {
    const char* const begin = at_;
    while (at_ != end_ && is_digit(*at_))
      ++at_;
    return at_ != begin;
  }

  bool number() {
    take('-');
    if (!take('0') && !digits())
      return false;
    if (take('.') && !digits())
      return false;
    if (take('e') || take('E')) {
      if (!take('+'))
        take('-');
      return digits();
    }
    return true;
  }

  const char* at_;
  const char* end_;
};

} // namespace

bool split_members(std::string_view text, std::vector<JsonMember>& members) {
  members.clear();
  return Scanner(text).members(members) && simdjson::validate_utf8(text.data(), text.size());
}

void append_member(std::string& object, std::string_view key, std::string_view value) {
  if (object.back() != '{')
    object += ',';
  object += '"';
  object += key;
  object += "\":";
  object += value;
}

void append_string(std::string& text, std::string_view string) {
  constexpr char digits[] = "0123456789abcdef";
  const bool is_utf8 = simdjson::validate_utf8(string.data(), string.size());
  text += '"';
  for (const char c : string) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (octet < 0x20 || (octet >= 0x80 && !is_utf8)) {
      text += "\\u00";
      text += digits[octet >> 4];
      text += digits[octet & 15];
    } else {
      text += c;
    }
  }
  text += '"';
}

} // namespace orbweaver
