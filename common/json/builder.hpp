// SPDX-License-Identifier: GPL-3.0-or-later
// Builds JSON text: objects and arrays in one another, members with typed values, on one line or indented for reading.
// Whatever the text is that goes in, JSON comes out. For documents and records; flows are printed by text.hpp.
//
//   std::string text;
//   {
//     json::Object run(text, json::Layout::indented);
//     run.add("jobs", 12).add("reason", reason);
//     json::Array stages = run.array("stages");
//     for (const auto& stage : all)
//       stages.object().add("name", stage.name);
//   }
//
// An object or array ends where its variable does: what is within it must have ended by then, and while that is open
// nothing is added to what is around it. One thread.
#pragma once

#include "common/json/escape.hpp"
#include "common/json/members.hpp"

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace orbweaver::json {

enum class Layout { one_line, indented };

/// A number with so many digits behind its point: {1.5, 3} is 1.500.
struct Decimal {
  double value;
  int digits;
};

/// Appends a value. Text may be any octets (append_string); a double has the digits that it needs to be read back; what
/// is not finite is null, as is an optional without a value.
void append_value(std::string& out, std::string_view text);
inline void append_value(std::string& out, const std::string& text) {
  append_value(out, std::string_view(text));
}
inline void append_value(std::string& out, const char* text) {
  append_value(out, std::string_view(text));
}
void append_value(std::string& out, std::same_as<bool> auto truth) {
  out += truth ? "true" : "false";
}
template <std::integral Number>
requires(!std::same_as<Number, bool> && !std::same_as<Number, char>) void append_value(std::string& out,
                                                                                       Number number) {
  out += std::to_string(number);
}
void append_value(std::string& out, double number);
void append_value(std::string& out, Decimal number);
void append_value(std::string& out, std::nullptr_t);
template <typename Value>
void append_value(std::string& out, const std::optional<Value>& value) {
  value ? append_value(out, *value) : append_value(out, nullptr);
}

/// What append_value() takes.
template <typename Value>
concept Typed = requires(std::string& out, const Value& value) {
  append_value(out, value);
};

/// Begins a member on one line: a comma if need be, the key, its colon. The caller appends one value.
void append_key(std::string& members, std::string_view key);

class Object;
class Array;

namespace detail {

/// The text of an object or array that is open.
class Scope {
public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

protected:
  enum class Bare {}; ///< members without their braces

  Scope(std::string& out, Bare) noexcept : out_(out) {}
  /// `depth`: how many are around it; -1 on one line.
  Scope(std::string& out, char opening, char closing, int depth);
  ~Scope();

  /// Room for the next member or element; where it is an object or array, inner() is its depth.
  std::string& next();
  std::string& next(std::string_view key);
  [[nodiscard]] int inner() const noexcept { return depth_ < 0 ? depth_ : depth_ + 1; }

private:
  void new_line(int depth);

  std::string& out_;
  char closing_ = '\0';
  int depth_ = -1;
};

} // namespace detail

class Object : private detail::Scope {
public:
  /// An object at the end of `out`.
  explicit Object(std::string& out, Layout layout = Layout::one_line)
      : Object(out, layout == Layout::one_line ? -1 : 0) {}

  /// More members of an object without its braces, on one line: `out` has those that are there already.
  [[nodiscard]] static Object members_of(std::string& out) { return {out, Bare()}; }

  template <Typed Value>
  Object& add(std::string_view key, const Value& value) {
    append_value(next(key), value);
    return *this;
  }
  [[nodiscard]] Object object(std::string_view key);
  [[nodiscard]] Array array(std::string_view key);

  /// A value that is JSON text already. Where it is none, nothing is added, and the verdict says why.
  [[nodiscard]] Verdict add_json(std::string_view key, std::string_view value);

private:
  friend class Array;
  Object(std::string& out, Bare bare) noexcept : Scope(out, bare) {}
  Object(std::string& out, int depth) : Scope(out, '{', '}', depth) {}
};

class Array : private detail::Scope {
public:
  /// An array at the end of `out`.
  explicit Array(std::string& out, Layout layout = Layout::one_line)
      : Array(out, layout == Layout::one_line ? -1 : 0) {}

  template <Typed Value>
  Array& add(const Value& value) {
    append_value(next(), value);
    return *this;
  }
  /// One element for each of a range.
  template <typename Values>
  void add_all(const Values& values) {
    for (const auto& value : values)
      add(value);
  }
  [[nodiscard]] Object object();
  [[nodiscard]] Array array();

private:
  friend class Object;
  Array(std::string& out, int depth) : Scope(out, '[', ']', depth) {}
};

inline Object Object::object(std::string_view key) {
  return {next(key), inner()};
}
inline Array Object::array(std::string_view key) {
  return {next(key), inner()};
}
inline Object Array::object() {
  return {next(), inner()};
}
inline Array Array::array() {
  return {next(), inner()};
}

} // namespace orbweaver::json
