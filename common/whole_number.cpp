// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/whole_number.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>

namespace orbweaver {

CLI::Validator whole_number(std::uint64_t low, std::uint64_t high) {
  const auto check = [low, high](std::string& text) -> std::string {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stop != end || number < low || number > high)
      return "'" + text + "' is not a whole number from " + std::to_string(low) + " to " + std::to_string(high);
    text = std::to_string(number);
    return {};
  };
  return CLI::Validator(check, "");
}

} // namespace orbweaver
