// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/ndjson_writer.hpp"

#include "common/stream/flow_record.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <simdjson.h>
#include <string>
#include <vector>

using namespace orbweaver;
using orbweaver::test::Record;
using orbweaver::test::Table;

namespace {

/// The line of a record, without its newline. Checks that no more than max_line_bytes() was touched.
std::string print(const Table& table, const Record& record) {
  const NdjsonWriter writer(table.header());
  constexpr char untouched = '\x7F';
  std::vector<char> out(writer.max_line_bytes() + 64, untouched);
  char* end = writer.print(record.data(), out.data());
  CHECK(end <= out.data() + writer.max_line_bytes());
  for (auto i = writer.max_line_bytes(); i < out.size(); ++i)
    REQUIRE(out[i] == untouched);
  std::string line(out.data(), end);
  REQUIRE(line.back() == '\n');
  line.pop_back();
  return line;
}

/// The JSON text of one field of that type with that value.
template <typename T>
std::string print_field(FieldType type, const T& value) {
  REQUIRE(sizeof value == field_size(type));
  const auto table = Table().add("f", type);
  auto record = table.record();
  table.set(record, 0, value);
  const auto line = print(table, record);
  REQUIRE(line.substr(0, 5) == "{\"f\":");
  REQUIRE(line.back() == '}');
  return line.substr(5, line.size() - 6);
}

Address address(std::uint8_t version, std::initializer_list<std::uint8_t> octets) {
  Address result{};
  std::copy(octets.begin(), octets.end(), result.octets);
  result.version = version;
  return result;
}

template <typename T>
constexpr T largest = std::numeric_limits<T>::max();
template <typename T>
constexpr T smallest = std::numeric_limits<T>::min();

} // namespace

TEST_CASE("booleans print as true and false, anything but 0 as true") {
  CHECK(print_field(FieldType::boolean, std::uint8_t{0}) == "false");
  CHECK(print_field(FieldType::boolean, std::uint8_t{1}) == "true");
  CHECK(print_field(FieldType::boolean, std::uint8_t{255}) == "true");
}

TEST_CASE("unsigned numbers print exactly from 0 to their largest") {
  CHECK(print_field(FieldType::u8, std::uint8_t{0}) == "0");
  CHECK(print_field(FieldType::u8, largest<std::uint8_t>) == "255");
  CHECK(print_field(FieldType::u16, largest<std::uint16_t>) == "65535");
  CHECK(print_field(FieldType::u32, largest<std::uint32_t>) == "4294967295");
  CHECK(print_field(FieldType::u64, largest<std::uint64_t>) == "18446744073709551615");
  CHECK(print_field(FieldType::u64, std::uint64_t{9'007'199'254'740'993}) == "9007199254740993"); // not a double
}

TEST_CASE("types with or_null print null where negative, and the value else") {
  CHECK(print_field(FieldType::boolean_or_null, std::int8_t{-1}) == "null");
  CHECK(print_field(FieldType::boolean_or_null, smallest<std::int8_t>) == "null");
  CHECK(print_field(FieldType::boolean_or_null, std::int8_t{0}) == "false");
  CHECK(print_field(FieldType::boolean_or_null, std::int8_t{1}) == "true");
  CHECK(print_field(FieldType::u8_or_null, std::int16_t{-1}) == "null");
  CHECK(print_field(FieldType::u8_or_null, smallest<std::int16_t>) == "null");
  CHECK(print_field(FieldType::u8_or_null, std::int16_t{0}) == "0");
  CHECK(print_field(FieldType::u8_or_null, std::int16_t{255}) == "255");
  CHECK(print_field(FieldType::u16_or_null, std::int32_t{-1}) == "null");
  CHECK(print_field(FieldType::u16_or_null, smallest<std::int32_t>) == "null");
  CHECK(print_field(FieldType::u16_or_null, std::int32_t{65535}) == "65535");
  CHECK(print_field(FieldType::u32_or_null, std::int64_t{-1}) == "null");
  CHECK(print_field(FieldType::u32_or_null, smallest<std::int64_t>) == "null");
  CHECK(print_field(FieldType::u32_or_null, std::int64_t{4'294'967'295}) == "4294967295");
  CHECK(print_field(FieldType::u32_or_null, largest<std::int64_t>) == "9223372036854775807");
}

TEST_CASE("addresses print as strings, and as null where the version is neither 4 nor 6") {
  CHECK(print_field(FieldType::address, address(4, {192, 168, 0, 10})) == "\"192.168.0.10\"");
  CHECK(print_field(FieldType::address, address(6, {0x20, 1, 0x0d, 0xb8})) == "\"2001:db8::\"");
  CHECK(print_field(FieldType::address, address(0, {1, 2, 3, 4})) == "null");
  CHECK(print_field(FieldType::address, address(255, {1, 2, 3, 4})) == "null");
}

TEST_CASE("times print as seconds that stay a float") {
  CHECK(print_field(FieldType::time_ns, std::uint64_t{1'213'855'701'147'824'000}) == "1213855701.147824");
  CHECK(print_field(FieldType::time_ns, std::uint64_t{1'213'855'701'000'000'000}) == "1213855701.0");
}

TEST_CASE("end reasons print by their IPFIX names, and as null where there is none") {
  CHECK(print_field(FieldType::end_reason, EndReason::idle_timeout) == "\"idle timeout\"");
  CHECK(print_field(FieldType::end_reason, EndReason::active_timeout) == "\"active timeout\"");
  CHECK(print_field(FieldType::end_reason, EndReason::end_of_flow) == "\"end of Flow detected\"");
  CHECK(print_field(FieldType::end_reason, EndReason::forced_end) == "\"forced end\"");
  CHECK(print_field(FieldType::end_reason, EndReason::lack_of_resources) == "\"lack of resources\"");
  CHECK(print_field(FieldType::end_reason, std::uint8_t{0}) == "null");
  CHECK(print_field(FieldType::end_reason, std::uint8_t{255}) == "null");
}

TEST_CASE("fields stand in the table's order, whatever the order of their offsets") {
  const auto table = Table().add("second", FieldType::u8).add("first", FieldType::u8);
  auto swapped = table.header();
  std::swap(swapped.fields[0], swapped.fields[1]);
  auto record = table.record();
  table.set(record, 0, std::uint8_t{2});
  table.set(record, 1, std::uint8_t{1});
  const NdjsonWriter writer(swapped);
  std::vector<char> out(writer.max_line_bytes());
  CHECK(std::string(out.data(), writer.print(record.data(), out.data())) == "{\"first\":1,\"second\":2}\n");
}

TEST_CASE("names that need it are escaped") {
  const auto table = Table().add("a\"b\\c\nd\x7F\xE4", FieldType::u8).add("", FieldType::u8);
  CHECK(print(table, table.record()) == "{\"a\\\"b\\\\c\\u000ad\x7f\u00e4\":0,\"\":0}");
}

TEST_CASE("the longest name, escaped throughout, prints whole") {
  const std::string name(39, '\x01');
  const auto table = Table().add(name, FieldType::u64).add(std::string(39, 'x'), FieldType::u64);
  std::string escaped;
  for (int i = 0; i < 39; ++i)
    escaped += "\\u0001";
  CHECK(print(table, table.record()) ==
        std::string("{\"").append(escaped).append("\":0,\"").append(39, 'x').append("\":0}"));
}

TEST_CASE("a table without fields prints empty objects") {
  const Table table;
  CHECK(print(table, table.record()) == "{}");
}

TEST_CASE("the longest line of the largest table stays within its bounds") {
  Table table;
  for (std::size_t i = 0; i < max_fields; ++i)
    table.add(std::string(39, '"'), FieldType::address);
  auto record = table.record();
  Address longest{};
  std::fill(std::begin(longest.octets), std::end(longest.octets), std::uint8_t{0xFF});
  longest.version = 6;
  for (std::size_t i = 0; i < max_fields; ++i)
    table.set(record, i, longest);
  CHECK(print(table, record).size() > max_fields * 80);
}

TEST_CASE("whatever octets a record holds, its line is valid JSON with every field") {
  Table table;
  for (unsigned type = 1; field_size(static_cast<FieldType>(type)) > 0; ++type)
    table.add(std::string("f").append(std::to_string(type)), static_cast<FieldType>(type));
  REQUIRE(table.header().field_count == 12);
  std::mt19937 random(4);
  simdjson::dom::parser parser;
  for (int i = 0; i < 20'000; ++i) {
    auto record = table.record();
    for (auto& octet : record)
      octet = static_cast<std::byte>(random());
    simdjson::dom::object object;
    const auto line = print(table, record);
    REQUIRE(parser.parse(line).get(object) == simdjson::SUCCESS);
    REQUIRE(object.size() == 12);
  }
}
