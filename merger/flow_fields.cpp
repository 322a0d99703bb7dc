// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/flow_fields.hpp"

#include <cstring>
#include <limits>

namespace orbweaver {

namespace {

template <typename T>
std::optional<std::int64_t> load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::is_signed_v<T>) {
    if (value < 0)
      return std::nullopt;
  } else if constexpr (sizeof(T) == sizeof(std::int64_t)) {
    if (value > static_cast<T>(std::numeric_limits<std::int64_t>::max()))
      return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

} // namespace

FlowFields::FlowFields(const StreamHeader& stream) {
  for (const auto& field : stream.field_table())
    fields_.emplace(field.name_view(), Field{field.type, field.offset});
}

std::optional<std::int64_t> FlowFields::number(const std::byte* record, std::string_view name) const {
  const auto found = fields_.find(name);
  if (found == fields_.end())
    return std::nullopt;
  const auto* at = record + found->second.offset;
  switch (found->second.type) {
  case FieldType::boolean:
    return *load<std::uint8_t>(at) != 0;
  case FieldType::u8:
  case FieldType::end_reason:
    return load<std::uint8_t>(at);
  case FieldType::u16:
    return load<std::uint16_t>(at);
  case FieldType::u32:
    return load<std::uint32_t>(at);
  case FieldType::u64:
  case FieldType::time_ns:
    return load<std::uint64_t>(at);
  case FieldType::boolean_or_null:
    return load<std::int8_t>(at);
  case FieldType::u8_or_null:
    return load<std::int16_t>(at);
  case FieldType::u16_or_null:
    return load<std::int32_t>(at);
  case FieldType::u32_or_null:
    return load<std::int64_t>(at);
  case FieldType::address:
    break;
  }
  return std::nullopt;
}

std::string other_end(std::string_view name) {
  const auto stem = name.substr(0, name.size() < 4 ? 0 : name.size() - 4);
  if (name == "sp" || name == "dp")
    return name == "sp" ? "dp" : "sp";
  if (name == "sip" || name == "dip")
    return name == "sip" ? "dip" : "sip";
  if (name.ends_with("_fwd"))
    return std::string(stem) + "_rev";
  if (name.ends_with("_rev"))
    return std::string(stem) + "_fwd";
  return std::string(name);
}

} // namespace orbweaver
