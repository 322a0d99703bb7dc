// SPDX-License-Identifier: GPL-3.0-or-later
// The types that a field of a record can have. A field's type is a C++ type: what a chain writes into its state is what
// lies in the record, and whoever reads a record gets the same type back from visit_field(). One list, FieldTypes, says
// which there are; codes, names, sizes, printing, look-up and tests follow from it. No state, any thread.
//
//   bool, std::uint8_t … std::uint64_t, std::int8_t … std::int64_t, double, TimeNs, DurationNs
//   Nullable<> of each of these, and of an enumeration or a MacAddress: null until it is set
//   Address, MacAddress       Address is null where its version is neither 4 nor 6
//   an enumeration            `enum class E : std::uint8_t` with enumerator_names(E); null where a value has no name
//   Text, OctetString, List<T>     of any length; null until they are set. T: a number, or Text
//   OneOrList<T>                   the same, but one alone prints as what it is. T: Text, or Nullable<std::uint32_t>
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace orbweaver {

/// A time: nanoseconds since the epoch. Prints as seconds with all their digits.
struct TimeNs {
  std::uint64_t ns = 0;
};

/// A length of time in nanoseconds. Prints as seconds with all their digits.
struct DurationNs {
  std::uint64_t ns = 0;
};

/// An IP address.
struct Address {
  std::uint8_t octets[16]; ///< network order; IPv4 in the first 4
  std::uint8_t version;    ///< 4 or 6
};
static_assert(sizeof(Address) == 17);

/// An EUI-48 (IEEE 802), as on the wire.
struct MacAddress {
  std::uint8_t octets[6];
};

/// Where a value of variable length lies. In a flow's state `at` is a place in the observer's flow memory, in a record
/// an offset from the record's start, behind its fixed part. 0: null.
struct TailRef {
  std::uint32_t at = 0;
  std::uint32_t octets = 0;

  [[nodiscard]] bool is_null() const noexcept { return at == 0; }
};

/// Text (any octets, printed as UTF-8), raw octets (printed in hexadecimal), and lists. A state holds them by handle; a
/// chain's context sets them (observer/chain/chain_context.hpp): a copy would share its octets, and does not compile. A
/// list of texts has each as four octets of length, then text.
struct TailHandle : TailRef {
  TailHandle() = default;
  TailHandle(const TailHandle&) = delete;
  TailHandle(TailHandle&&) = delete;
  TailHandle& operator=(const TailHandle&) = delete;
  TailHandle& operator=(TailHandle&&) = default; // a state has to be trivially copyable
};
struct Text : TailHandle {};
struct OctetString : TailHandle {};
template <typename Element>
struct List : TailHandle {};
/// A list that prints as its element where it has one: of what there is one of, as a rule.
template <typename Element>
struct OneOrList : List<Element> {};

/// The names of an enumeration's values by their number, found through its argument; an empty name stands for no value.
/// Defined beside each enumeration that is a field.
template <typename Enum>
concept NamedEnum = std::is_enum_v<Enum> && requires(Enum value) {
  std::span<const std::string_view>(enumerator_names(value));
};

/// How an enumeration's value lies in a record whose reader does not know the enumeration.
struct EnumValue {
  std::uint8_t value = 0;
};

/// A value that is null until it is set. What has a next larger signed integer lies there, with its least value (-1 for
/// unsigned ones) for null; everything else has an octet behind it that says whether it is set.
template <typename Value>
class Nullable {
  template <typename Stored, Stored null>
  struct Wider {
    Stored value = null;
    [[nodiscard]] bool is_null() const noexcept { return null == -1 ? value < 0 : value == null; }
    void set(Value to) noexcept { value = static_cast<Stored>(to); }
    void clear() noexcept { value = null; }
  };
  struct Flagged {
    Value value{};
    std::uint8_t is_set = 0; // a record may hold any octet here
    [[nodiscard]] bool is_null() const noexcept { return is_set == 0; }
    void set(Value to) noexcept {
      value = to;
      is_set = 1;
    }
    void clear() noexcept { *this = {}; }
  };
  static constexpr auto storage() {
    if constexpr (std::same_as<Value, bool>)
      return Wider<std::int8_t, -1>{};
    else if constexpr (std::same_as<Value, std::uint8_t> || std::is_enum_v<Value>)
      return Wider<std::int16_t, -1>{};
    else if constexpr (std::same_as<Value, std::uint16_t>)
      return Wider<std::int32_t, -1>{};
    else if constexpr (std::same_as<Value, std::uint32_t>)
      return Wider<std::int64_t, -1>{};
    else if constexpr (std::same_as<Value, std::int8_t>)
      return Wider<std::int16_t, std::numeric_limits<std::int16_t>::min()>{};
    else if constexpr (std::same_as<Value, std::int16_t>)
      return Wider<std::int32_t, std::numeric_limits<std::int32_t>::min()>{};
    else if constexpr (std::same_as<Value, std::int32_t>)
      return Wider<std::int64_t, std::numeric_limits<std::int64_t>::min()>{};
    else
      return Flagged{};
  }

public:
  [[nodiscard]] bool is_null() const noexcept { return stored_.is_null(); }
  [[nodiscard]] Value value() const noexcept { return static_cast<Value>(stored_.value); }
  void set(Value value) noexcept { stored_.set(value); }
  void clear() noexcept { stored_.clear(); }
  /// Sets it the first time only.
  void set_first(Value value) noexcept {
    if (is_null())
      set(value);
  }

private:
  decltype(storage()) stored_{};
};

/// The same for an enumeration whose names are known only from a description.
template <>
class Nullable<EnumValue> {
public:
  [[nodiscard]] bool is_null() const noexcept { return stored_ < 0; }
  [[nodiscard]] EnumValue value() const noexcept { return {static_cast<std::uint8_t>(stored_)}; }

private:
  std::int16_t stored_ = -1;
};

template <typename... Types>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Types);
};

/// All types of fields. A type's code is its place here plus 1; the order is part of the stream format.
using FieldTypes =
    TypeList<bool, std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t, std::int8_t, std::int16_t, std::int32_t,
             std::int64_t, double, TimeNs, DurationNs, EnumValue, MacAddress, Nullable<bool>, Nullable<std::uint8_t>,
             Nullable<std::uint16_t>, Nullable<std::uint32_t>, Nullable<std::uint64_t>, Nullable<std::int8_t>,
             Nullable<std::int16_t>, Nullable<std::int32_t>, Nullable<std::int64_t>, Nullable<double>, Nullable<TimeNs>,
             Nullable<DurationNs>, Nullable<EnumValue>, Nullable<MacAddress>, Address, Text, OctetString,
             List<std::uint8_t>, List<std::uint16_t>, List<std::uint32_t>, List<std::uint64_t>, List<std::int8_t>,
             List<std::int16_t>, List<std::int32_t>, List<std::int64_t>, List<double>, List<Text>, OneOrList<Text>,
             OneOrList<Nullable<std::uint32_t>>>;

/// What descriptions call them, in the same order.
inline constexpr std::array<std::string_view, FieldTypes::size> field_type_names{"bool",
                                                                                 "u8",
                                                                                 "u16",
                                                                                 "u32",
                                                                                 "u64",
                                                                                 "i8",
                                                                                 "i16",
                                                                                 "i32",
                                                                                 "i64",
                                                                                 "f64",
                                                                                 "time",
                                                                                 "duration",
                                                                                 "enum",
                                                                                 "mac",
                                                                                 "bool_or_null",
                                                                                 "u8_or_null",
                                                                                 "u16_or_null",
                                                                                 "u32_or_null",
                                                                                 "u64_or_null",
                                                                                 "i8_or_null",
                                                                                 "i16_or_null",
                                                                                 "i32_or_null",
                                                                                 "i64_or_null",
                                                                                 "f64_or_null",
                                                                                 "time_or_null",
                                                                                 "duration_or_null",
                                                                                 "enum_or_null",
                                                                                 "mac_or_null",
                                                                                 "address",
                                                                                 "text",
                                                                                 "octets",
                                                                                 "list_of_u8",
                                                                                 "list_of_u16",
                                                                                 "list_of_u32",
                                                                                 "list_of_u64",
                                                                                 "list_of_i8",
                                                                                 "list_of_i16",
                                                                                 "list_of_i32",
                                                                                 "list_of_i64",
                                                                                 "list_of_f64",
                                                                                 "list_of_text",
                                                                                 "one_or_list_of_text",
                                                                                 "one_or_list_of_u32_or_null"};

/// A type by its code: 1 to FieldTypes::size.
enum class FieldType : std::uint8_t {};

namespace field_types {

template <typename Type, typename... Types>
consteval FieldType code(TypeList<Types...>) {
  std::uint8_t place = 0;
  static_cast<void>(((++place, std::same_as<Type, Types>) || ...));
  return static_cast<FieldType>(place);
}

template <typename Type, typename... Types>
consteval bool is_among(TypeList<Types...>) {
  return (std::same_as<Type, Types> || ...);
}

/// The type that stands for a member's own: an enumeration's value for each enumeration.
template <typename Member>
struct Described {
  using Type = Member;
};
template <NamedEnum Member>
struct Described<Member> {
  using Type = EnumValue;
};
template <NamedEnum Member>
struct Described<Nullable<Member>> {
  using Type = Nullable<EnumValue>;
};
/// What an event holds of variable length is a view, its record a TailRef in the view's place.
template <>
struct Described<std::string_view> {
  using Type = Text;
};
template <>
struct Described<std::span<const std::byte>> {
  using Type = OctetString;
};
template <typename Element>
struct Described<std::span<const Element>> {
  using Type = List<std::conditional_t<std::same_as<Element, std::string_view>, Text, Element>>;
};

/// What a record has room for of an enumeration is an octet without a sign. True of what is none.
template <typename Member>
inline constexpr bool enumeration_fits = !std::is_enum_v<Member>;
template <NamedEnum Member>
inline constexpr bool
    enumeration_fits<Member> = sizeof(Member) == 1 && std::is_unsigned_v<std::underlying_type_t<Member>>;
template <typename Value>
inline constexpr bool enumeration_fits<Nullable<Value>> = enumeration_fits<Value>;

} // namespace field_types

template <typename Type>
inline constexpr bool is_tail = std::derived_from<Type, TailRef>;

template <typename Type>
inline constexpr bool is_nullable = false;
template <typename Value>
inline constexpr bool is_nullable<Nullable<Value>> = true;

/// The code of the type that a member of a state or an event has as a field.
template <typename Member>
consteval FieldType field_type_of() {
  using Type = typename field_types::Described<Member>::Type;
  static_assert(!std::is_array_v<Member>, "an array is no field: name one of its elements by its index; text is Text, "
                                          "raw octets are OctetString, and what has many values is a List");
  static_assert(!std::is_pointer_v<Member>, "a pointer says nothing in another process: use Text or OctetString");
  static_assert(field_types::enumeration_fits<Member>,
                "an enumeration that is a field has one octet (enum class E : std::uint8_t) and its names: define "
                "constexpr auto enumerator_names(E), a std::array of std::string_view, beside it");
  static_assert(!std::same_as<Member, float>, "use double");
  static_assert(!std::same_as<Member, char>, "use std::uint8_t for a number, Text for text");
  static_assert(
      field_types::is_among<Type>(FieldTypes{}),
      "no type of a field: use bool, std::uint8_t … std::int64_t, double, TimeNs, DurationNs, Address, "
      "MacAddress, an enumeration with enumerator_names(), Nullable<> of these, Text, OctetString, or List<>");
  return field_types::code<Type>(FieldTypes{});
}

[[nodiscard]] constexpr bool exists(FieldType type) noexcept {
  const auto code = static_cast<std::uint8_t>(type);
  return code >= 1 && code <= FieldTypes::size;
}

/// Calls `visit.template operator()<Type>()` with the C++ type of a type that exists, and returns what it returns.
template <typename Visit>
constexpr decltype(auto) visit_field(FieldType type, Visit&& visit) {
  const auto at = [&]<std::size_t... place, typename... Types>(std::index_sequence<place...>, TypeList<Types...>)
                      ->decltype(auto) {
    using Result = decltype(visit.template operator()<bool>());
    using Call = Result (*)(Visit&);
    constexpr Call calls[] = {[](Visit& v) -> Result { return v.template operator()<Types>(); }...};
    return calls[static_cast<std::uint8_t>(type) - 1](visit);
  };
  return at(std::make_index_sequence<FieldTypes::size>{}, FieldTypes{});
}

[[nodiscard]] constexpr std::string_view to_string(FieldType type) noexcept {
  return exists(type) ? field_type_names[static_cast<std::uint8_t>(type) - 1] : std::string_view();
}

/// The type of that name, or nothing.
[[nodiscard]] constexpr std::optional<FieldType> field_type_named(std::string_view name) noexcept {
  for (std::size_t place = 0; place < FieldTypes::size; ++place)
    if (field_type_names[place] == name)
      return static_cast<FieldType>(place + 1);
  return std::nullopt;
}

/// Octets that a field takes in the fixed part of its record; 0 for a type that does not exist.
[[nodiscard]] constexpr std::uint32_t field_size(FieldType type) noexcept {
  if (!exists(type))
    return 0;
  return visit_field(type, []<typename Type>() {
    if constexpr (is_tail<Type>)
      return static_cast<std::uint32_t>(sizeof(TailRef));
    else
      return static_cast<std::uint32_t>(sizeof(Type));
  });
}

/// Whether a field's value lies behind the fixed part of its record.
[[nodiscard]] constexpr bool has_tail(FieldType type) noexcept {
  return exists(type) && visit_field(type, []<typename Type>() { return is_tail<Type>; });
}

/// A value where it lies, aligned or not. Whatever octets are there give a value.
template <typename Type>
[[nodiscard]] Type load_field(const std::byte* at) noexcept {
  if constexpr (std::same_as<Type, bool>)
    return *at != std::byte{0};
  else {
    std::array<std::byte, sizeof(Type)> octets;
    std::memcpy(octets.data(), at, sizeof(Type));
    return std::bit_cast<Type>(octets);
  }
}

} // namespace orbweaver
