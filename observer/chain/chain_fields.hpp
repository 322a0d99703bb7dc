// SPDX-License-Identifier: GPL-3.0-or-later
// How a chain declares what it gives: fields of its state, tables of events, and options. Made once, when the program
// starts; what does not fit does not compile.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/field_types.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace orbweaver {

/// A name that users read: of a field, a table or an option. Checked by the compiler.
class FieldName {
public:
  consteval FieldName(const char* name) : name_(name) { // NOLINT(google-explicit-constructor): written as text
    if (!is_name(name_))
      throw "a name has 1 to 63 letters, digits or underscores, and begins with no digit";
  }
  constexpr operator std::string_view() const noexcept { return name_; } // NOLINT(google-explicit-constructor)

private:
  std::string_view name_;
};

/// A field of a chain: what it is called, and where it lies in the chain's State, in an event, or in the FlowRecord
/// that every flow has.
struct ChainField {
  std::string_view name;
  std::string_view help; ///< a line that says what it is
  FieldType type{};
  std::uint32_t offset = 0;
  bool in_core = false; ///< in the FlowRecord or EventRecord, not in the chain's own part
  std::string_view unit{};
  std::string_view ipfix{};
  std::string_view mirror{};
  std::span<const std::string_view> names{}; ///< of an enumeration

  /// Adds the octets of a view that an event holds at `member` to `out`; false: it is null. nullptr: no view.
  using AppendView = bool (*)(const std::byte* member, std::vector<std::byte>& out);
  AppendView append_view = nullptr;
  std::uint32_t view_octets = 0; ///< of the view itself
};

/// A field of that struct, so that a chain cannot declare another's. Made by field(); what may be said beside that is
/// added behind it:
///
///   field("oct_fwd", "octets of the IP datagrams", &State::octets, 0).in("octets").ipfix_element("octetDeltaCount")
///   field("oct_rev", "the same in reverse", &State::octets, 1).in("octets").mirrors("oct_fwd")
template <typename Object>
struct FieldOf : ChainField {
  /// The unit that values are in: "octets", "packets", "us".
  [[nodiscard]] FieldOf in(std::string_view text) const {
    FieldOf said = *this;
    said.unit = text;
    return said;
  }
  /// The information element of IANA's IPFIX registry that means the same.
  [[nodiscard]] FieldOf ipfix_element(std::string_view text) const {
    FieldOf said = *this;
    said.ipfix = text;
    return said;
  }
  /// It says of the reverse direction what that field says of the forward one. Said once, by the later of the two.
  [[nodiscard]] FieldOf mirrors(FieldName forward) const {
    FieldOf said = *this;
    said.mirror = forward;
    return said;
  }
};

/// Whether an array of what field() or option() made is of that struct's; an empty one is anybody's.
template <typename Array, typename Declared>
inline constexpr bool declares = std::tuple_size_v<Array> == 0 || std::same_as<typename Array::value_type, Declared>;

namespace chain_fields {

/// The names of an enumeration, for good.
template <typename Enum>
std::span<const std::string_view> names_of() {
  static constexpr auto names = enumerator_names(Enum{});
  return names;
}

template <typename Member>
std::span<const std::string_view> names_of_member() {
  if constexpr (NamedEnum<Member>)
    return names_of<Member>();
  else if constexpr (is_nullable<Member>) {
    using Value = decltype(Member{}.value());
    if constexpr (NamedEnum<Value>)
      return names_of<Value>();
  }
  return {};
}

inline void append_octets(std::vector<std::byte>& out, const void* data, std::size_t size) {
  const auto* const octets = static_cast<const std::byte*>(data);
  out.insert(out.end(), octets, octets + size);
}

template <typename Member>
constexpr ChainField::AppendView view_appender() {
  using Type = typename field_types::Described<Member>::Type;
  if constexpr (std::same_as<Type, Member> || !is_tail<Type>)
    return nullptr;
  else
    return [](const std::byte* at, std::vector<std::byte>& out) {
      const auto& view = *reinterpret_cast<const Member*>(at);
      if constexpr (std::same_as<Type, List<Text>>)
        for (const std::string_view text : view) {
          const auto size = static_cast<std::uint32_t>(text.size());
          append_octets(out, &size, sizeof size);
          append_octets(out, text.data(), size);
        }
      else
        append_octets(out, view.data(), view.size() * sizeof(*view.data()));
      return view.data() != nullptr;
    };
}

} // namespace chain_fields

/// The field that a member of a State or of an event is; an array's element by its indices.
inline constexpr std::uint32_t outside = 0xFFFFFFFF; // an element that its array does not have: the chain is refused
template <typename Object, typename Member, typename... Index>
FieldOf<Object> field(FieldName name, std::string_view help, Member Object::*member, Index... index) {
  static const Object sample{};
  bool is_there = true;
  const auto locate = [&is_there](const auto& self, const auto& object, auto first, auto... rest) {
    const bool fits = static_cast<std::size_t>(first) < std::size(object);
    is_there = is_there && fits;
    const auto& element = object[fits ? static_cast<std::size_t>(first) : 0];
    if constexpr (sizeof...(rest) == 0)
      return &element;
    else
      return self(self, element, rest...);
  };
  const auto* element = [&] {
    if constexpr (sizeof...(index) == 0)
      return &(sample.*member);
    else
      return locate(locate, sample.*member, index...);
  }();
  using Value = std::remove_cvref_t<decltype(*element)>;
  const auto offset = reinterpret_cast<const std::byte*>(element) - reinterpret_cast<const std::byte*>(&sample);
  return {{.name = name,
           .help = help,
           .type = field_type_of<Value>(),
           .offset = is_there ? static_cast<std::uint32_t>(offset) : outside,
           .names = chain_fields::names_of_member<Value>(),
           .append_view = chain_fields::view_appender<Value>(),
           .view_octets = static_cast<std::uint32_t>(sizeof(Value))}};
}

/// A field of type Value that lies in the record that every flow, or every event, has; among those of Object.
template <typename Value, typename Object = void>
FieldOf<Object> core_field(FieldName name, std::string_view help, std::size_t offset) {
  return {{.name = name,
           .help = help,
           .type = field_type_of<Value>(),
           .offset = static_cast<std::uint32_t>(offset),
           .in_core = true,
           .names = chain_fields::names_of_member<Value>()}};
}

/// A table of events as a consumer of the chain sees it.
struct ChainTable {
  std::string_view name;
  std::string_view help;
  std::uint32_t octets; ///< of an event
  std::span<const ChainField> fields;
};

/// A table whose rows are events of that type: a plain struct, which may hold std::string_view and std::span for what
/// is of variable length. Made by event_table().
template <typename Event, std::size_t count>
struct EventTable {
  static_assert(std::is_trivially_copyable_v<Event>, "events are copied into records as they lie");
  static_assert(alignof(Event) <= alignof(std::uint64_t));
  using Type = Event;
  std::string_view name;
  std::string_view help;
  std::array<ChainField, count> fields;

  [[nodiscard]] ChainTable described() const noexcept {
    return {name, help, static_cast<std::uint32_t>(sizeof(Event)), fields};
  }
};

template <typename Event, typename Object, std::size_t count>
EventTable<Event, count> event_table(FieldName name, std::string_view help,
                                     const std::array<FieldOf<Object>, count>& fields) {
  static_assert(std::same_as<Event, Object>, "a field of another struct than the table's event");
  EventTable<Event, count> table{name, help, {}};
  std::ranges::copy(fields, table.fields.begin());
  return table;
}

} // namespace orbweaver
