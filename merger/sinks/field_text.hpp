// SPDX-License-Identifier: GPL-3.0-or-later
// Fields as text, in any style: for each type of field one function that prints it, found once for a table, so that a
// row costs a call a field. Owned by the merger; does not change, any thread may print by it.
//
//   bool                       true for anything but 0
//   u8 … u64, i8 … i64         a decimal number
//   f64                        the shortest number that reads as the same and is a float everywhere: 3.0, 1e+300; null
//                              where it is none (RFC 8259 has no NaN)
//   time, duration             seconds with all their digits, at least one decimal
//   enum                       its name as text; null where it has none
//   mac                        00:11:22:33:44:55
//   address                    dotted, or by RFC 5952; null where the version is neither 4 nor 6
//   text                       text; an octet that is no UTF-8 is taken for Latin-1
//   octets                     hexadecimal
//   list_of_…                  a JSON array
//   one_or_list_of_…           the same; one alone as what it is
//   …_or_null                  null, or the same as without
#pragma once

#include "merger/rows/row.hpp"
#include "merger/sinks/text_style.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <memory>
#include <string>

namespace orbweaver {

/// What a printer may overwrite behind its text.
inline constexpr std::size_t field_slack = 32;
static_assert(field_slack >= json::text_slack);

/// The names of an enumeration's values, ready to be copied.
struct EnumTexts {
  struct Place {
    std::uint32_t at = 0, octets = 0; ///< in `text`
  };
  std::array<Place, 256> places{};
  std::string text; ///< with field_slack octets more, since names are copied in one size

  char* print(std::uint8_t value, char* out) const noexcept {
    const auto [at, octets] = places[value];
    std::memcpy(out, text.data() + at, field_slack);
    if (octets > field_slack) [[unlikely]]
      std::memcpy(out + field_slack, text.data() + at + field_slack, octets - field_slack);
    return out + octets;
  }
};

/// One field of a table.
struct FieldText {
  using Print = char* (*)(const std::byte* record, std::uint32_t offset, const EnumTexts* names, char* out) noexcept;

  Print print_at = nullptr;
  std::uint32_t offset = 0;
  std::uint32_t max_octets = 0; ///< of its text; max_growth for each octet of its tail come to that
  std::shared_ptr<const EnumTexts> names{};

  /// Writes its value of a row at `out`, returns the place after it, and may overwrite field_slack octets behind that.
  char* print(RowView row, char* out) const noexcept { return print_at(row.record, offset, names.get(), out); }
};

namespace field_text {

/// Values that are not null.
template <typename Style>
struct Values {
  static char* print(bool value, char* out) noexcept { return json::print_boolean(value, out); }
  template <std::unsigned_integral Number>
  static char* print(Number value, char* out) noexcept {
    if constexpr (sizeof value == 1)
      return json::print_octet(value, out);
    else
      return json::print_number(value, out);
  }
  template <std::signed_integral Number>
  static char* print(Number value, char* out) noexcept {
    const auto wide = static_cast<std::int64_t>(value);
    *out = '-';
    return json::print_number(wide < 0 ? -static_cast<std::uint64_t>(wide) : static_cast<std::uint64_t>(wide),
                              out + (wide < 0));
  }
  static char* print(double value, char* out) noexcept {
    if (!std::isfinite(value))
      return Style::null(out);
    char* const end = std::to_chars(out, out + 32, value).ptr;
    if (std::string_view(out, end).find_first_of(".e") != std::string_view::npos)
      return end;
    std::memcpy(end, ".0", 2);
    return end + 2;
  }
  static char* print(TimeNs value, char* out) noexcept { return json::print_seconds(value.ns, out); }
  static char* print(DurationNs value, char* out) noexcept { return json::print_seconds(value.ns, out); }
  static char* print(const MacAddress& value, char* out) noexcept {
    out = Style::quote(out);
    for (const auto octet : value.octets) {
      out = print_hex(std::as_bytes(std::span(&octet, 1)), out);
      *out++ = ':';
    }
    return Style::quote(out - 1);
  }
  static char* print(const Address& value, char* out) noexcept {
    if (value.version != 4 && value.version != 6)
      return Style::null(out);
    out = Style::quote(out);
    out = value.version == 4 ? json::print_ipv4(value.octets, out) : json::print_ipv6(value.octets, out);
    return Style::quote(out);
  }

  static char* print(std::span<const std::byte> octets, Text, char* out) noexcept {
    return Style::text(as_text(octets), out);
  }
  static char* print(std::span<const std::byte> octets, OctetString, char* out) noexcept {
    return Style::quote(print_hex(octets, Style::quote(out)));
  }
  template <typename Element>
  static char* print(std::span<const std::byte> list, List<Element>, char* out) noexcept {
    out = Style::list_quote(out);
    char* const bracket = out++;
    for_each_element<Element>(list, [&out](const auto& element) {
      if constexpr (std::same_as<Element, Text>)
        out = Style::listed_text(as_text(element), out);
      else if constexpr (is_nullable<Element>)
        out = element.is_null() ? JsonStyle::null(out) : Values<JsonStyle>::print(element.value(), out);
      else
        out = Values<JsonStyle>::print(element, out);
      *out++ = ',';
    });
    *bracket = '[';
    out -= out != bracket + 1; // the last comma
    *out++ = ']';
    return Style::list_quote(out);
  }
  template <typename Element>
  static char* print(std::span<const std::byte> list, OneOrList<Element>, char* out) noexcept {
    std::size_t count = 0;
    for_each_element<Element>(list, [&count](const auto&) { ++count; });
    if (count != 1)
      return print(list, List<Element>{}, out);
    for_each_element<Element>(list, [&out](const auto& element) {
      if constexpr (std::same_as<Element, Text>)
        out = Style::text(as_text(element), out);
      else
        out = element.is_null() ? Style::null(out) : print(element.value(), out);
    });
    return out;
  }
};

template <typename Style, typename Type>
char* print(const std::byte* record, std::uint32_t offset, [[maybe_unused]] const EnumTexts* names,
            char* out) noexcept {
  const std::byte* const at = record + offset;
  if constexpr (is_tail<Type>) {
    const auto ref = load_field<TailRef>(at);
    return ref.is_null() ? Style::null(out) : Values<Style>::print({record + ref.at, ref.octets}, Type{}, out);
  } else {
    const auto print_value = [&](auto value) {
      if constexpr (std::same_as<decltype(value), EnumValue>)
        return names->print(value.value, out);
      else
        return Values<Style>::print(value, out);
    };
    if constexpr (std::same_as<Type, Address>) // read where it lies: whatever its octets become prints
      return Values<Style>::print(*reinterpret_cast<const Address*>(at), out);
    const auto value = load_field<Type>(at);
    if constexpr (is_nullable<Type>)
      return value.is_null() ? Style::null(out) : print_value(value.value());
    else
      return print_value(value);
  }
}

/// The longest text of a value that is no enumeration: an IPv6 address in quotation marks.
inline constexpr std::uint32_t max_value_octets = 41;

template <typename Style>
EnumTexts texts_of(const std::vector<std::string>& names) {
  EnumTexts texts;
  for (std::size_t value = 0; value < texts.places.size(); ++value) {
    const auto name = value < names.size() ? std::string_view(names[value]) : std::string_view();
    std::string text(max_growth * name.size() + 8, '\0');
    char* const end = name.empty() ? Style::null(text.data()) : Style::text(name, text.data());
    text.resize(static_cast<std::size_t>(end - text.data()));
    texts.places[value] = {static_cast<std::uint32_t>(texts.text.size()), static_cast<std::uint32_t>(text.size())};
    texts.text += text;
  }
  texts.text.append(field_slack, '\0');
  return texts;
}

} // namespace field_text

/// How a field is printed.
template <typename Style>
[[nodiscard]] FieldText text_of(const FieldDescription& field) {
  return visit_field(field.type, [&]<typename Type>() {
    FieldText text{field_text::print<Style, Type>, field.offset, field_text::max_value_octets};
    if constexpr (std::same_as<Type, EnumValue> || std::same_as<Type, Nullable<EnumValue>>) {
      text.names = std::make_shared<EnumTexts>(field_text::texts_of<Style>(field.names));
      for (const auto& place : text.names->places)
        text.max_octets = std::max(text.max_octets, place.octets);
    }
    return text;
  });
}

} // namespace orbweaver
