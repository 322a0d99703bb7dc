// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/whole_number.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>

namespace orbweaver {

namespace {

template <typename Number>
CLI::Validator number_within(Number low, Number high) {
  const auto check = [low, high](std::string& text) -> std::string {
    Number number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < low || number > high)
      return "'" + text + "' is not a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    text = std::to_string(number);
    return {};
  };
  return CLI::Validator(check, "");
}

} // namespace

CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
  return number_within(low, high);
}

CLI::Validator signed_whole_number(std::int64_t low, std::int64_t high) {
  return number_within(low, high);
}

} // namespace orbweaver
