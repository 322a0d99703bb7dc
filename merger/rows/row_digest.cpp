// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/row_digest.hpp"

#include <cstring>
#include <string>
#include <type_traits>

namespace orbweaver {

namespace {

template <typename Value>
std::byte* put(const Value& value, std::byte* out) noexcept {
  static_assert(std::has_unique_object_representations_v<Value> || std::is_floating_point_v<Value>,
                "octets that are no part of the value would be hashed");
  std::memcpy(out, &value, sizeof value);
  return out + sizeof value;
}

std::byte* put(std::span<const std::byte> octets, std::byte* out) noexcept {
  out = put(static_cast<std::uint32_t>(octets.size()), out);
  std::memcpy(out, octets.data(), octets.size());
  return out + octets.size();
}

/// No value has this length.
constexpr std::uint32_t null_octets = 0xFFFFFFFF;

template <typename Type>
std::byte* gather(RowView row, std::uint32_t offset, std::byte* out) noexcept {
  const auto value = load_field<Type>(row.record + offset);
  if constexpr (is_tail<Type>) {
    return value.is_null() ? put(null_octets, out) : put(row.tail(value), out);
  } else if constexpr (is_nullable<Type>) {
    using Value = decltype(value.value());
    out = put(value.is_null() ? Value{} : value.value(), out);
    return put(value.is_null(), out);
  } else if constexpr (std::is_same_v<Type, Address>) {
    // An IPv4 address has 12 octets that mean nothing, one of no version 16.
    Address address{};
    address.version = value.version == 4 || value.version == 6 ? value.version : 0;
    std::memcpy(address.octets, value.octets, value.version == 4 ? 4 : value.version == 6 ? 16 : 0);
    return put(address, out);
  } else {
    return put(value, out);
  }
}

/// What a value of a type takes where it is gathered, but for what a tail adds.
constexpr std::size_t max_gathered = sizeof(Address);

} // namespace

RowDigest::RowDigest(const TableDescription& table) : record_octets_(table.record_octets) {
  std::string names = table.name;
  for (const auto& field : table.fields) {
    names.append("\n").append(field.name).append(" ").append(to_string(field.type));
    const auto step = visit_field(field.type, [&]<typename Type>() { return Step{gather<Type>, field.offset}; });
    steps_.push_back(step);
    max_octets_ += max_gathered;
  }
  seed_ = XXH3_64bits(names.data(), names.size());
}

void RowDigest::add(RowView row, Digest& digest) {
  const auto room = max_octets_ + (row.octets - record_octets_);
  if (gathered_.size() < room)
    gathered_.resize(room);
  std::byte* out = gathered_.data();
  for (const auto& step : steps_)
    out = step.gather(row, step.offset, out);
  digest.add({gathered_.data(), out}, seed_);
}

} // namespace orbweaver
