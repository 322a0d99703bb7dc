// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes the way of rows through the merger: a description of tables, then rows, both as anybody could write them. What
// is taken for a row must print as one line of JSON and one record of CSV, within the room that the printers ask for,
// and be hashed alike as often as it is. The first octet says whether the description is the input's own, its text
// behind two octets of length, or one with every type of field; a row is two octets of length, one for its table, and
// its octets.
#include "common/error.hpp"
#include "common/stream/records/flow_record.hpp"
#include "merger/rows/row.hpp"
#include "merger/rows/row_digest.hpp"
#include "merger/sinks/csv_rows.hpp"
#include "merger/sinks/json_rows.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

using namespace orbweaver;

namespace {

void expect(bool holds) {
  if (!holds)
    std::abort();
}

/// Flows and events with a field of each type.
StreamDescription every_type() {
  auto stream = stream_of(StreamKind::flows);
  for (const std::uint32_t header : {sizeof(FlowRecord), sizeof(EventRecord)}) {
    TableDescription table;
    table.name = stream.tables.empty() ? "flows" : "events";
    table.record_octets = header;
    for (unsigned code = 1; code <= FieldTypes::size; ++code) {
      FieldDescription field;
      field.type = static_cast<FieldType>(code);
      field.name = to_string(field.type);
      field.offset = table.record_octets;
      if (field_size(field.type) <= 2)
        field.names = {"", "one", "\"two\", and a comma"};
      table.record_octets += field_size(field.type);
      table.fields.push_back(field);
    }
    stream.tables.push_back(table);
  }
  return StreamDescription::decode(stream.encode());
}

/// Cells of a record of CSV; it must end as one.
std::size_t cells_of(std::string_view record) {
  expect(record.ends_with("\r\n"));
  record.remove_suffix(2);
  bool quoted = false;
  std::size_t cells = 1;
  for (const char c : record) {
    quoted = quoted != (c == '"');
    cells += c == ',' && !quoted;
    expect(quoted || (c != '\r' && c != '\n'));
  }
  expect(!quoted);
  return cells;
}

template <typename Rows>
std::string print(const Rows& rows, const RowView& row) {
  const auto room = rows.max_octets(row);
  const auto out = std::make_unique_for_overwrite<char[]>(room); // so that a memory checker sees its end
  return {out.get(), rows.print(row, out.get())};
}

struct Printers {
  explicit Printers(const TableDescription& table)
      : fields(table.fields.size()), json(table), event(table, "\"event\":\"" + table.name + '"'), csv(table),
        digest(table) {}

  void check(const RowView& row) {
    static simdjson::dom::parser parser;
    for (const auto* rows : {&json, &event}) {
      const auto line = print(*rows, row);
      simdjson::dom::object object;
      expect(line.find('\n') == line.size() - 1);
      expect(parser.parse(line).get(object) == simdjson::SUCCESS);
      expect(object.size() == fields + (rows == &event));
    }
    expect(cells_of(print(csv, row)) == std::max<std::size_t>(fields, 1));
    Digest once, again;
    digest.add(row, once);
    digest.add(row, again);
    expect(once == again);
  }

  std::size_t fields;
  JsonRows json, event;
  CsvRows csv;
  RowDigest digest;
};

class Input {
public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool is_empty() const { return rest_.empty(); }
  std::uint32_t octet() { return rest_.empty() ? 0 : static_cast<std::uint8_t>(take(1).front()); }
  std::uint32_t number() { return octet() | octet() << 8; }
  std::string_view take(std::size_t octets) {
    const auto taken = rest_.substr(0, octets);
    rest_.remove_prefix(taken.size());
    return taken;
  }

private:
  std::string_view rest_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto known = every_type();
  Input input(data, size);
  StreamDescription stream = known;
  if (input.octet() % 2 != 0) {
    const std::string text(input.take(input.number()));
    try {
      stream = StreamDescription::decode(text);
      expect(StreamDescription::decode(stream.encode()) == stream);
    } catch (const Error&) {
      return 0;
    }
    if (stream.kind != StreamKind::flows)
      return 0;
  }
  StreamRows rows(stream);
  std::vector<Printers> printers;
  for (const auto& table : stream.tables)
    printers.emplace_back(table);
  while (!input.is_empty()) {
    const auto length = std::max<std::uint32_t>(input.number(), sizeof(RecordHeader));
    const RecordHeader header{length, RecordKind::row, static_cast<std::uint16_t>(input.octet())};
    const auto octets = input.take(length);
    std::vector<std::byte> record(length); // what the input lacks is 0
    std::memcpy(record.data(), octets.data(), octets.size());
    std::memcpy(record.data(), &header, sizeof header);
    RowView row;
    if (rows.take(reinterpret_cast<const RecordHeader&>(*record.data()), row))
      printers[header.table].check(row);
    else
      expect(!rows.damage().empty());
  }
  return 0;
}
