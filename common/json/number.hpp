// SPDX-License-Identifier: GPL-3.0-or-later
// The grammar of JSON's numbers (RFC 8259, 6), of any size: what a user writes need not fit this machine. No state, any
// thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace orbweaver::json {

/// Octets of the number that a text begins with; 0 where it begins with none. "1.50,": 4; "1.": 0; "01": 1.
[[nodiscard]] constexpr std::size_t number_octets(std::string_view text) noexcept {
  std::size_t at = 0;
  const auto take = [&](std::string_view any) {
    const bool there = at < text.size() && any.find(text[at]) != any.npos;
    at += there;
    return there;
  };
  const auto take_digits = [&] {
    const auto begin = at;
    at = std::min(text.find_first_not_of("0123456789", begin), text.size());
    return at > begin;
  };
  take("-");
  if (!take("0") && !take_digits())
    return 0;
  if (take(".") && !take_digits())
    return 0;
  if (take("eE")) {
    take("+-");
    if (!take_digits())
      return 0;
  }
  return at;
}

/// Whether all of it is one number.
[[nodiscard]] constexpr bool is_number(std::string_view text) noexcept {
  return !text.empty() && number_octets(text) == text.size();
}

} // namespace orbweaver::json
