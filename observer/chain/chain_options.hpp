// SPDX-License-Identifier: GPL-3.0-or-later
// Options of a chain: members of its Options struct that a user may set, `splt:packets=20,gaps=false`. Parsed when
// chains are chosen; what is no option, or no value of it, is an error that names both.
#pragma once

#include "common/error.hpp"
#include "observer/chain/chain_fields.hpp"

#include <bit>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace orbweaver {

/// What is known of an option without knowing its chain's Options.
struct ChainOption {
  std::string_view name;
  std::string_view help;
  std::string default_value; ///< as text
  std::string values;        ///< what it takes, in words: "1 to 100", "true or false"

  /// Sets the member in an Options that lies at `options`; false where `text` is no value for it.
  bool (*set)(const ChainOption& option, std::byte* options, std::string_view text);
  std::uint32_t offset;    ///< in Options
  std::uint64_t low, high; ///< bounds of a number, as the bits of the widest of its kind
};

/// An option of that struct, so that a chain cannot declare another's.
template <typename Options>
struct OptionOf : ChainOption {};

namespace chain_options {

/// The widest number of a kind, in which bounds are exact.
template <typename Value>
using Widest = std::conditional_t<std::floating_point<Value>, double,
                                  std::conditional_t<std::is_signed_v<Value>, std::int64_t, std::uint64_t>>;

template <typename Value>
bool set(const ChainOption& option, std::byte* options, std::string_view text) {
  auto& member = *reinterpret_cast<Value*>(options + option.offset);
  if constexpr (std::same_as<Value, bool>) {
    member = text == "true";
    return text == "true" || text == "false";
  } else {
    Value value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const Widest<Value> number = value;
    if (error != std::errc() || end != text.data() + text.size() ||
        !(number >= std::bit_cast<Widest<Value>>(option.low) && number <= std::bit_cast<Widest<Value>>(option.high)))
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
OptionOf<Options> make(std::string_view name, std::string_view help, Value Options::*member, std::uint64_t low,
                       std::uint64_t high, std::string values) {
  static const Options sample{};
  const auto offset =
      reinterpret_cast<const std::byte*>(&(sample.*member)) - reinterpret_cast<const std::byte*>(&sample);
  return {{name, help, text_of(sample.*member), std::move(values), set<Value>, static_cast<std::uint32_t>(offset), low,
           high}};
}

} // namespace chain_options

/// A flag: `histogram=true`. Its default is the member's own.
template <typename Options>
OptionOf<Options> option(FieldName name, std::string_view help, bool Options::*member) {
  return chain_options::make(name, help, member, 0, 0, "true or false");
}

/// A number from `low` to `high`, both included. A chain whose default is not among them is refused.
template <typename Options, typename Value>
requires(std::integral<Value> || std::same_as<Value, double>) &&
    (!std::same_as<Value, bool>)OptionOf<Options> option(FieldName name, std::string_view help, Value Options::*member,
                                                         std::type_identity_t<Value> low,
                                                         std::type_identity_t<Value> high) {
  using Widest = chain_options::Widest<Value>;
  return chain_options::make(name, help, member, std::bit_cast<std::uint64_t>(Widest{low}),
                             std::bit_cast<std::uint64_t>(Widest{high}),
                             chain_options::text_of(low) + " to " + chain_options::text_of(high));
}

} // namespace orbweaver
