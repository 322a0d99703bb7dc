// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/row.hpp"

namespace orbweaver {

namespace {

/// Why a list cannot lie in these octets; an empty string where it can.
template <typename Element>
std::string damage_of_list(std::span<const std::byte> list) {
  if constexpr (!std::same_as<Element, Text>)
    return list.size() % sizeof(Element) == 0 ? "" : "ends within an element";
  else {
    std::uint32_t octets = 0;
    while (!list.empty()) {
      if (list.size() < sizeof octets)
        return "ends within the length of a text";
      octets = load_field<std::uint32_t>(list.data());
      list = list.subspan(sizeof octets);
      if (octets > list.size())
        return "ends within a text";
      list = list.subspan(octets);
    }
    return {};
  }
}

template <typename Element>
std::string damage_of_tail(std::span<const std::byte> octets, List<Element>) {
  return damage_of_list<Element>(octets);
}
template <typename Element>
std::string damage_of_tail(std::span<const std::byte> octets, OneOrList<Element>) {
  return damage_of_list<Element>(octets);
}
std::string damage_of_tail(std::span<const std::byte>, TailRef) {
  return {}; // text and raw octets may be anything
}

std::string damage_of_tail(FieldType type, std::span<const std::byte> octets) {
  return visit_field(type, [&]<typename Type>() -> std::string {
    if constexpr (is_tail<Type>)
      return damage_of_tail(octets, Type{});
    else
      return {};
  });
}

} // namespace

StreamRows::StreamRows(const StreamDescription& stream) {
  for (const auto& description : stream.tables) {
    auto& table = tables_.emplace_back(Table{description.name, description.record_octets, {}});
    for (const auto& field : description.fields)
      if (has_tail(field.type))
        table.tails.push_back({field.offset, field.type, field.name});
  }
}

std::string StreamRows::damage_of(const RecordHeader& record, RowView row) const {
  if (record.table >= tables_.size())
    return "a row of table " + std::to_string(record.table) + ", its stream has " + std::to_string(tables_.size());
  const auto& table = tables_[record.table];
  if (record.length < table.record_octets || (table.tails.empty() && record.length > table.record_octets))
    return "a row of " + std::to_string(record.length) + " octets, its table '" + table.name + "' says " +
           std::to_string(table.record_octets);
  return damage_of_tails(table, row);
}

/// Every value must lie behind the fixed part, within the record; and all of them together are no longer than that, so
/// that a row which names the same octets again and again cannot become a line of gigabytes.
std::string StreamRows::damage_of_tails(const Table& table, RowView row) {
  const auto say = [&](const Tail& tail, const std::string& what) {
    return "a row of table '" + table.name + "' whose field '" + tail.field + "' " + what;
  };
  std::uint64_t octets = 0;
  for (const auto& tail : table.tails) {
    const auto ref = load_field<TailRef>(row.record + tail.offset);
    if (ref.is_null())
      continue;
    if (ref.at < table.record_octets || ref.at > row.octets || ref.octets > row.octets - ref.at)
      return say(tail, "lies outside: " + std::to_string(ref.octets) + " octets from " + std::to_string(ref.at) +
                           ", the row has " + std::to_string(row.octets) + ", and its first " +
                           std::to_string(table.record_octets) + " are taken");
    octets += ref.octets;
    if (octets > row.octets - table.record_octets)
      return say(tail, "lies where another one lies");
    if (const auto why = damage_of_tail(tail.type, row.tail(ref)); !why.empty())
      return say(tail, why);
  }
  return {};
}

} // namespace orbweaver
