// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/builder.hpp"

#include <charconv>
#include <cmath>
#include <spdlog/fmt/fmt.h>

namespace orbweaver::json {

namespace {

/// Whether an object or array that ends here has something in it. Members without braces begin with nothing.
bool has_members(const std::string& out) noexcept {
  return !out.empty() && out.back() != '{' && out.back() != '[';
}

} // namespace

void append_value(std::string& out, std::string_view text) {
  append_string(out, text);
}

void append_value(std::string& out, double number) {
  if (!std::isfinite(number))
    return append_value(out, nullptr);
  char text[32]; // the longest is 24 octets
  out.append(text, std::to_chars(std::begin(text), std::end(text), number).ptr);
}

void append_value(std::string& out, Decimal number) {
  if (!std::isfinite(number.value))
    return append_value(out, nullptr);
  out += fmt::format("{:.{}f}", number.value, number.digits);
}

void append_value(std::string& out, std::nullptr_t) {
  out += "null";
}

void append_key(std::string& members, std::string_view key) {
  if (has_members(members))
    members += ',';
  append_string(members, key);
  members += ':';
}

namespace detail {

Scope::Scope(std::string& out, char opening, char closing, int depth) : out_(out), closing_(closing), depth_(depth) {
  out_ += opening;
}

Scope::~Scope() {
  if (closing_ == '\0')
    return;
  if (has_members(out_))
    new_line(depth_);
  out_ += closing_;
}

std::string& Scope::next() {
  if (has_members(out_))
    out_ += ',';
  new_line(depth_ + 1);
  return out_;
}

std::string& Scope::next(std::string_view key) {
  append_string(next(), key);
  return out_ += depth_ < 0 ? ":" : ": ";
}

void Scope::new_line(int depth) {
  if (depth_ >= 0)
    out_.append(1, '\n').append(2 * static_cast<std::size_t>(depth), ' ');
}

} // namespace detail

Verdict Object::add_json(std::string_view key, std::string_view value) {
  const auto verdict = check_value(value);
  if (verdict)
    next(key) += value;
  return verdict;
}

} // namespace orbweaver::json
