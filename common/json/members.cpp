// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/members.hpp"

#include "common/json/escape.hpp"
#include "common/json/number.hpp"

#include <algorithm>

namespace orbweaver::json {

namespace {

constexpr unsigned max_depth = 1024;

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Reads JSON text from left to right. Each function stands before what it reads and ends behind it, or says false, and
/// where it stopped is where something else was expected.
class Scanner {
public:
  explicit Scanner(std::string_view text) : begin_(text.data()), at_(text.data()), end_(text.data() + text.size()) {}

  [[nodiscard]] Verdict verdict() const {
    return {expected_ ? expected_ : "the end", static_cast<std::size_t>(at_ - begin_)};
  }

  bool members(std::vector<Member>& members) {
    skip_space();
    while (at_ != end_) {
      Member member;
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
        return fail("a comma");
      skip_space();
      if (at_ == end_)
        return fail("a key");
    }
    return true;
  }

  /// A value that is all of the text.
  bool only_value() { return value(1) && at_ == end_; }

private:
  bool fail(const char* expected) {
    expected_ = expected;
    return false;
  }

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
    if (at_ == end_ || *at_ != '"')
      return fail("a key");
    if (!string())
      return false;
    key = {begin, static_cast<std::size_t>(at_ - begin - 1)};
    skip_space();
    if (!take(':'))
      return fail("a colon");
    skip_space();
    return true;
  }

  bool value(unsigned depth) {
    if (depth > max_depth)
      return fail("an end of the nesting");
    if (at_ == end_)
      return fail("a value");
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
      return take("true") || fail("a value");
    case 'f':
      return take("false") || fail("a value");
    case 'n':
      return take("null") || fail("a value");
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
        return fail(closing == ']' ? "a comma or ]" : "a comma or }");
      skip_space();
    }
  }

  bool string() {
    ++at_;
    for (;;) {
      while (at_ != end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20)
        ++at_;
      if (take('"'))
        return true;
      if (!take('\\'))
        return fail(at_ == end_ ? "a closing quotation mark" : "an escape");
      if (!escaped())
        return fail("an escape");
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

  bool number() {
    const auto octets = number_octets({at_, static_cast<std::size_t>(end_ - at_)});
    at_ += octets;
    return octets > 0 || fail("a value");
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  const char* expected_ = nullptr;
};

/// What only a look at all of a text tells.
Verdict check_octets(std::string_view text) {
  const auto valid = valid_utf8_octets(text);
  return valid == text.size() ? Verdict{} : Verdict{"UTF-8", valid};
}

} // namespace

std::string to_string(const Verdict& verdict) {
  return std::string(verdict.expected) + " is expected at octet " + std::to_string(verdict.offset);
}

Verdict split_members(std::string_view text, std::vector<Member>& members) {
  members.clear();
  Scanner scanner(text);
  return scanner.members(members) ? check_octets(text) : scanner.verdict();
}

Verdict check_value(std::string_view text) {
  Scanner scanner(text);
  return scanner.only_value() ? check_octets(text) : scanner.verdict();
}

void append_member(std::string& members, std::string_view key, std::string_view value) {
  if (!members.empty() && members.back() != '{')
    members += ',';
  members += '"';
  members += key;
  members += "\":";
  members += value;
}

} // namespace orbweaver::json
