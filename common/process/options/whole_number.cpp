// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/options/whole_number.hpp"

#include <charconv>
#include <spdlog/fmt/fmt.h>
#include <system_error>

namespace orbweaver {

namespace {

template <typename Number>
bool is_within(const std::string& text, Number low, Number high, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && number >= low && number <= high; // false for "nan" too
}

template <typename Number>
ValueCheck whole_number_within(Number low, Number high) {
  return [low, high](std::string& text) -> std::string {
    Number number = 0;
    if (!is_within(text, low, high, number))
      return fmt::format("'{}' is not a whole number from {} to {}", text, low, high);
    text = std::to_string(number);
    return {};
  };
}

} // namespace

ValueCheck whole_number(std::uint64_t low, std::uint64_t high) {
  return whole_number_within(low, high);
}

ValueCheck signed_whole_number(std::int64_t low, std::int64_t high) {
  return whole_number_within(low, high);
}

ValueCheck number(double low, double high) {
  return [low, high](const std::string& text) -> std::string {
    double number = 0;
    return is_within(text, low, high, number) ? "" : fmt::format("'{}' is not a number from {} to {}", text, low, high);
  };
}

} // namespace orbweaver
