// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/flow_fields.hpp"

#include "common/error.hpp"

#include <concepts>
#include <limits>
#include <stdexcept>

namespace orbweaver {

namespace {

template <std::integral Value>
std::optional<std::int64_t> to_number(Value value) noexcept {
  if (std::in_range<std::int64_t>(value))
    return static_cast<std::int64_t>(value);
  return std::nullopt;
}
std::optional<std::int64_t> to_number(bool value) noexcept {
  return value;
}
std::optional<std::int64_t> to_number(EnumValue value) noexcept {
  return value.value;
}
std::optional<std::int64_t> to_number(TimeNs value) noexcept {
  return to_number(value.ns);
}
std::optional<std::int64_t> to_number(DurationNs value) noexcept {
  return to_number(value.ns);
}

template <typename Value>
concept Number = requires(Value value) {
  to_number(value);
}
&&!std::floating_point<Value>;
template <typename Value>
concept NullableNumber = is_nullable<Value> && requires(Value value) {
  requires Number<decltype(value.value())>;
};

template <typename Type>
std::optional<std::int64_t> load_number(const std::byte* at) noexcept {
  const auto value = load_field<Type>(at);
  if constexpr (is_nullable<Type>)
    return value.is_null() ? std::nullopt : to_number(value.value());
  else
    return to_number(value);
}

} // namespace

/// Its load is nullptr where the field is no whole number.
FlowFields::Place FlowFields::place_of(const FieldDescription& field) noexcept {
  return visit_field(field.type, [&]<typename Type>() -> Place {
    if constexpr (Number<Type> || NullableNumber<Type>)
      return {load_number<Type>, field.offset};
    else
      return {nullptr, 0};
  });
}

FlowFields::FlowFields(const CombinerEntry& combiner, const TableDescription& flows, const std::string& stream)
    : uses_(combiner.fields) {
  for (const auto& use : uses_) {
    const auto what = "the conditions of " + std::string(combiner.plugin) + " need the field " + std::string(use.name) +
                      " of chain " + std::string(use.chain);
    const auto* const field = flows.find(use.name);
    if (!field && std::ranges::find(flows.fields, use.chain, &FieldDescription::chain) != flows.fields.end())
      throw Error(stream + ": " + what + ", and the chain has no such field: the conditions name it wrongly");
    if (!field)
      throw Error(stream + ": " + what + ", which its flows do not have: run the observer with " +
                  std::string(use.chain));
    const Field found{place_of(*field), place_of(flows.mirror_of(*field))};
    if (!found.own.load)
      throw Error(stream + ": " + what + " as a whole number, and there it is of type " +
                  std::string(to_string(field->type)) + (field->chain.empty() ? "" : ", of chain " + field->chain));
    fields_.push_back(found);
  }
}

FlowFields::FlowFields(std::span<const FieldUse> uses, const TableDescription& flows) : uses_(uses) {
  for (const auto& use : uses_) {
    const auto* const field = flows.find(use.name);
    fields_.push_back(field ? Field{place_of(*field), place_of(flows.mirror_of(*field))}
                            : Field{{nullptr, 0}, {nullptr, 0}});
  }
}

std::optional<std::int64_t> FlowFields::number(FieldRef field, const std::byte* record, bool reversed) const {
  if (!has(field))
    throw std::logic_error("a combiner reads the field " + std::string(field.use()->name) +
                           ", which is on another list than its entry's");
  const auto& found = fields_[static_cast<std::size_t>(field.use() - uses_.data())];
  const auto& place = reversed ? found.mirror : found.own;
  return place.load ? place.load(record + place.offset) : std::nullopt;
}

} // namespace orbweaver
