// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/csv_sink.hpp"

#include "common/error.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// The record of a row, without its CRLF.
std::string print(const Table& table, const Record& record) {
  const CsvRows rows(table.description());
  std::string out(rows.max_octets(row_of(record)), '\0');
  const std::string text(out.data(), rows.print(row_of(record), out.data()));
  REQUIRE(text.ends_with("\r\n"));
  return text.substr(0, text.size() - 2);
}

std::string print_text(std::string_view text) {
  const auto table = Table().add<Text>("f");
  auto record = table.record();
  table.set_tail(record, 0, octets_of(text));
  return print(table, record);
}

} // namespace

TEST_CASE("a cell is quoted where it has a comma, a quotation mark or a line end, or is an empty text") {
  CHECK(print_text("plain text") == "plain text");
  CHECK(print_text("a,b") == "\"a,b\"");
  CHECK(print_text("say \"x\"") == "\"say \"\"x\"\"\"");
  CHECK(print_text("two\r\nlines") == "\"two\r\nlines\"");
  CHECK(print_text("") == "\"\"");
  CHECK(print_text("Gr\xFC\xDF"
                   "e") == "Gr\xC3\xBC\xC3\x9F"
                           "e");
  CHECK(print_text("Gr\xC3\xBC") == "Gr\xC3\xBC");
}

TEST_CASE("what is missing is an empty cell, whatever its type") {
  Table table;
  for (unsigned type = 1; type <= FieldTypes::size; ++type)
    if (to_string(static_cast<FieldType>(type)).ends_with("_or_null") || has_tail(static_cast<FieldType>(type)))
      table.add("f" + std::to_string(type), static_cast<FieldType>(type));
  auto record = table.record();
  std::size_t field = 0;
  for (unsigned type = 1; type <= FieldTypes::size; ++type)
    visit_field(static_cast<FieldType>(type), [&]<typename Type>() {
      if constexpr (is_nullable<Type> || is_tail<Type>)
        table.set(record, field++, Type{});
    });
  REQUIRE(field > 20);
  CHECK(print(table, record) == std::string(field - 1, ','));
}

TEST_CASE("values are those of NDJSON without quotation marks; lists are JSON in a quoted cell") {
  const auto table = Table()
                         .add<Address>("address")
                         .add<MacAddress>("mac")
                         .add<double>("nan")
                         .add<EnumValue>("kind", {"plain", "with, comma"})
                         .add<List<std::uint16_t>>("numbers")
                         .add<List<Text>>("texts")
                         .add<OctetString>("octets");
  auto record = table.record();
  table.set(record, 0, Address{{192, 0, 2, 1}, 4});
  table.set(record, 1, MacAddress{0, 1, 2, 3, 4, 5});
  table.set(record, 2, std::numeric_limits<double>::quiet_NaN());
  table.set(record, 3, EnumValue{1});
  const std::vector<std::uint16_t> numbers{1, 2};
  table.set_tail(record, 4, std::as_bytes(std::span(numbers)));
  table.set_tail(record, 5, list_of_texts({"a", "b\"c"}));
  table.set_tail(record, 6, octets_of("\x0A\xF0"));
  CHECK(print(table, record) == R"(192.0.2.1,00:01:02:03:04:05,,"with, comma","[1,2]","[""a"",""b\""c""]",0af0)");
}

TEST_CASE("each table has a file with a header line; events lie beside the flows") {
  CHECK(events_path("flows.csv", "dns") == "flows.dns.csv");
  CHECK(events_path("/a.b/flows", "dns") == "/a.b/flows.dns");
  const Scratch scratch;
  const auto flows = Table().add<std::uint8_t>("a").add<std::uint8_t>("b");
  const auto events = Table::events("dns").add<std::uint8_t>("c");
  CsvSink sink(scratch.path("f.csv"));
  const auto first = sink.add_table(flows.description(), 0, "file:x");
  const auto second = sink.add_table(events.description(), 1, "file:x");
  sink.put(first, row_of(flows.record()));
  sink.put(second, row_of(events.record()));
  sink.put(second, row_of(events.record()));
  CHECK(sink.finish());
  CHECK(read_file(scratch.path("f.csv")) == "a,b\r\n0,0\r\n");
  CHECK(read_file(scratch.path("f.dns.csv")) == "c\r\n0\r\n0\r\n");
  CHECK(sink.written().flows == 1);
  CHECK(sink.written().events == 2);
}

TEST_CASE("a table without rows is a header line") {
  const Scratch scratch;
  CsvSink sink(scratch.path("f.csv"));
  sink.add_table(Table().add<bool>("a").description(), 0, "file:x");
  CHECK(sink.finish());
  CHECK(read_file(scratch.path("f.csv")) == "a\r\n");
  CHECK(sink.written().flows == 0);
}

TEST_CASE("streams whose tables differ cannot share a file: both are named; another layout of the same fields can") {
  const Scratch scratch;
  CsvSink sink(scratch.path("f.csv"));
  sink.add_table(Table().add<bool>("a").description(), 0, "file:x");
  CHECK_THROWS_WITH_AS(sink.add_table(Table().add<std::uint8_t>("a").description(), 0, "file:y"),
                       doctest::Contains("file:y: its table 'flows' has other fields than that of file:x"), Error);
  const auto elsewhere = Table("flows", 200).add<bool>("a");
  const auto table = sink.add_table(elsewhere.description(), 0, "file:z");
  sink.put(table, row_of(elsewhere.record()));
  CHECK(sink.finish());
  CHECK(read_file(scratch.path("f.csv")) == "a\r\nfalse\r\n");
}

TEST_CASE("standard output has room for one table: with more, the sink asks for a file") {
  for (const std::string path : {"", "-"}) {
    CsvSink sink(path);
    sink.add_table(Table().add<bool>("a").description(), 0, "file:x");
    CHECK_THROWS_WITH_AS(sink.add_table(Table::events("dns").description(), 1, "file:x"),
                         doctest::Contains("file:x also brings the table 'dns': give -o FILE"), UsageError);
  }
}

TEST_CASE("where a file cannot be written, the failure names it and says how much of its table is there") {
  const auto table = Table().add<bool>("a");
  CsvSink sink("/dev/full");
  const auto number = sink.add_table(table.description(), 0, "file:x");
  sink.put(number, row_of(table.record()));
  CHECK_FALSE(sink.flush());
  CHECK(sink.failed());
  sink.put(number, row_of(table.record()));
  CHECK_FALSE(sink.finish());
  CHECK(sink.failure() == "cannot write /dev/full: No space left on device; 0 flows written");
  CHECK(sink.written().flows == 0);
}
