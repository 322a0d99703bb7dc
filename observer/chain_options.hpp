// SPDX-License-Identifier: GPL-3.0-or-later
// Options of a chain: members of its Options struct that a user may set, `splt:packets=20,gaps=false`. Parsed when
// chains are chosen; what is no option, or no value of it, is an error that names both.
#pragma once

#include "common/error.hpp"
#include "observer/chain_fields.hpp"

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace orbweaver {

/// What is known of an option without knowing its chain's Options.
struct ChainOption {
  std::string_view name;
  std::string_view help;
  std::string default_value; ///< as text
  std::string values;        ///< what it takes, in words: "1 to 100", "true or false"

  /// Sets the member in an Options that lies at `options`; false where `text` is no value for it.
  bool (*set)(const ChainOption& option, std::byte* options, std::string_view text);
  std::uint32_t offset; ///< in Options
  double low, high;     ///< bounds of a number
};

namespace chain_options {

template <typename Value>
bool set(const ChainOption& option, std::byte* options, std::string_view text) {
  auto& member = *reinterpret_cast<Value*>(options + option.offset);
  if constexpr (std::same_as<Value, bool>) {
    member = text == "true";
    return text == "true" || text == "false";
  } else {
    Value value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto number = static_cast<double>(value);
    if (error != std::errc() || end != text.data() + text.size() || !(number >= option.low && number <= option.high))
      return false; // "nan" among others
    member = value;
    return true;
  }
}

template <typename Value>
std::string text_of(Value value) {
  if constexpr (std::same_as<Value, bool>)
    return value ? "true" : "false";
  else {
    char text[32];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    return {text, end};
  }
}

template <typename Options, typename Value>
ChainOption make(std::string_view name, std::string_view help, Value Options::*member, double low, double high,
                 std::string values) {
  static const Options sample{};
  const auto offset =
      reinterpret_cast<const std::byte*>(&(sample.*member)) - reinterpret_cast<const std::byte*>(&sample);
  return {name, help, text_of(sample.*member), std::move(values), set<Value>, static_cast<std::uint32_t>(offset),
          low,  high};
}

} // namespace chain_options

/// A flag: `histogram=true`. Its default is the member's own.
template <typename Options>
ChainOption option(FieldName name, std::string_view help, bool Options::*member) {
  return chain_options::make(name, help, member, 0, 0, "true or false");
}

/// A number from `low` to `high`, both included.
template <typename Options, typename Value>
requires(std::integral<Value> || std::same_as<Value, double>) && (!std::same_as<Value, bool>)ChainOption
    option(FieldName name, std::string_view help, Value Options::*member, Value low, Value high) {
  return chain_options::make(name, help, member, static_cast<double>(low), static_cast<double>(high),
                             chain_options::text_of(low) + " to " + chain_options::text_of(high));
}

} // namespace orbweaver
