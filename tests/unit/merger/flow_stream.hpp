// SPDX-License-Identifier: GPL-3.0-or-later
// Tables and rows for tests: a table is built field by field, and rows are filled by field number.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/records/flow_record.hpp"
#include "merger/rows/row.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::test {

/// A row's octets, its header included.
using Record = std::vector<std::byte>;

template <typename Type>
constexpr FieldType code_of = field_types::code<Type>(FieldTypes{});

[[nodiscard]] inline std::span<const std::byte> octets_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A table whose fields lie one after the other without any padding, so that most are not aligned.
class Table {
public:
  explicit Table(std::string name = "flows", std::uint32_t fixed_octets = sizeof(FlowRecord)) {
    table_.name = std::move(name);
    table_.record_octets = fixed_octets;
  }
  static Table events(std::string name) { return Table(std::move(name), sizeof(EventRecord)); }

  Table& add(const std::string& name, FieldType type, std::vector<std::string> names = {}) {
    FieldDescription field;
    field.name = name;
    field.type = type;
    field.offset = table_.record_octets;
    field.names = std::move(names);
    table_.record_octets += field_size(type);
    table_.fields.push_back(field);
    return *this;
  }
  template <typename Type>
  Table& add(const std::string& name, std::vector<std::string> names = {}) {
    return add(name, code_of<Type>, std::move(names));
  }
  /// Makes the two fields added last each other's mirrors.
  Table& mirrored() {
    auto& last = table_.fields.back();
    auto& other = table_.fields[table_.fields.size() - 2];
    last.mirror = other.name;
    other.mirror = last.name;
    return *this;
  }

  [[nodiscard]] const TableDescription& description() const { return table_; }
  [[nodiscard]] std::uint32_t octets() const { return table_.record_octets; }
  /// A stream of flows with this table, and these ones of events.
  [[nodiscard]] StreamDescription stream(const std::vector<Table>& events = {}) const {
    auto stream = stream_of(StreamKind::flows);
    stream.tables.push_back(table_);
    for (const auto& table : events)
      stream.tables.push_back(table.table_);
    return stream;
  }

  [[nodiscard]] Record record() const { return Record(table_.record_octets); }
  template <typename T>
  void set(Record& record, std::size_t field, const T& value) const {
    const auto offset = table_.fields.at(field).offset;
    if (offset + sizeof value > record.size())
      throw std::logic_error("a test sets more than the record has");
    std::memcpy(record.data() + offset, &value, sizeof value);
  }
  /// Adds octets behind the record, and lets the field refer to them.
  void set_tail(Record& record, std::size_t field, std::span<const std::byte> octets) const {
    set(record, field, TailRef{static_cast<std::uint32_t>(record.size()), static_cast<std::uint32_t>(octets.size())});
    record.insert(record.end(), octets.begin(), octets.end());
  }

private:
  TableDescription table_;
};

[[nodiscard]] inline RowView row_of(const Record& record) {
  return {record.data(), static_cast<std::uint32_t>(record.size())};
}

/// Writes a row of that table; waits for room in a ring.
inline void write_row(RecordWriter& writer, const Record& record, std::uint16_t table = 0) {
  const auto length = static_cast<std::uint32_t>(record.size());
  std::byte* place = writer.claim(length);
  for (const std::atomic<bool> go_on{false}; !place; place = writer.claim(length))
    if (writer.wait_for_room(length, go_on) != Room::available)
      return;
  std::memcpy(place, record.data(), length);
  writer.commit(place, length, RecordKind::row, table);
}

/// A list of texts, as it lies in a tail.
[[nodiscard]] inline std::vector<std::byte> list_of_texts(const std::vector<std::string>& texts) {
  std::vector<std::byte> list;
  for (const auto& text : texts) {
    const auto length = static_cast<std::uint32_t>(text.size());
    const auto append = [&list](std::span<const std::byte> octets) {
      list.insert(list.end(), octets.begin(), octets.end());
    };
    append(std::as_bytes(std::span(&length, 1)));
    append(octets_of(text));
  }
  return list;
}

/// Flows that each hold one u64.
[[nodiscard]] inline const Table& number_table() {
  static const Table table = Table().add<std::uint64_t>("n");
  return table;
}
[[nodiscard]] inline Record number_record(std::uint64_t number) {
  auto record = number_table().record();
  number_table().set(record, 0, number);
  return record;
}

/// Writes such flows, and an end record, to a file.
inline void write_numbers(const std::string& path, std::uint64_t from, std::uint64_t to) {
  auto writer = RecordWriter::open({Endpoint::Kind::file, path}, number_table().stream());
  for (auto number = from; number < to; ++number)
    write_row(writer, number_record(number));
  writer.finish(EndCause::complete, std::atomic<bool>{false});
}

} // namespace orbweaver::test
