// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/json_rows.hpp"

#include "tests/unit/merger/flow_stream.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <simdjson.h>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// The line of a row, without its newline. Checks that no more than max_octets() was touched.
std::string print(const JsonRows& rows, const Record& record) {
  constexpr char untouched = '\x7F';
  const auto room = rows.max_octets(row_of(record));
  std::vector<char> out(room + 64, untouched);
  char* end = rows.print(row_of(record), out.data());
  CHECK(end <= out.data() + room);
  for (auto i = room; i < out.size(); ++i)
    REQUIRE(out[i] == untouched);
  std::string line(out.data(), end);
  REQUIRE(line.back() == '\n');
  line.pop_back();
  return line;
}

std::string print(const Table& table, const Record& record) {
  return print(JsonRows(table.description()), record);
}

std::string value_of(const std::string& line) {
  REQUIRE(line.substr(0, 5) == "{\"f\":");
  REQUIRE(line.back() == '}');
  return line.substr(5, line.size() - 6);
}

/// The JSON text of a field of type `Type` that holds `value`.
template <typename Type, typename Stored = Type>
std::string print_field(const Stored& value, std::vector<std::string> names = {}) {
  static_assert(sizeof value == sizeof(Type));
  const auto table = Table().add<Type>("f", std::move(names));
  auto record = table.record();
  table.set(record, 0, value);
  return value_of(print(table, record));
}

template <typename Type>
std::string print_null_or(std::optional<Type> value) {
  Nullable<Type> field;
  if (value)
    field.set(*value);
  return print_field<Nullable<Type>>(field);
}

template <typename Type>
std::string print_tail(std::span<const std::byte> octets) {
  const auto table = Table().add<Type>("f");
  auto record = table.record();
  table.set_tail(record, 0, octets);
  return value_of(print(table, record));
}

template <typename Number>
std::string print_list(const std::vector<Number>& numbers) {
  return print_tail<List<Number>>(std::as_bytes(std::span(numbers)));
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
  CHECK(print_field<bool>(std::uint8_t{0}) == "false");
  CHECK(print_field<bool>(std::uint8_t{1}) == "true");
  CHECK(print_field<bool>(std::uint8_t{255}) == "true");
}

TEST_CASE("whole numbers print exactly from their least to their largest") {
  CHECK(print_field<std::uint8_t>(std::uint8_t{0}) == "0");
  CHECK(print_field<std::uint8_t>(largest<std::uint8_t>) == "255");
  CHECK(print_field<std::uint16_t>(largest<std::uint16_t>) == "65535");
  CHECK(print_field<std::uint32_t>(largest<std::uint32_t>) == "4294967295");
  CHECK(print_field<std::uint64_t>(largest<std::uint64_t>) == "18446744073709551615");
  CHECK(print_field<std::uint64_t>(std::uint64_t{9'007'199'254'740'993}) == "9007199254740993"); // not a double
  CHECK(print_field<std::int8_t>(smallest<std::int8_t>) == "-128");
  CHECK(print_field<std::int8_t>(std::int8_t{0}) == "0");
  CHECK(print_field<std::int16_t>(smallest<std::int16_t>) == "-32768");
  CHECK(print_field<std::int32_t>(std::int32_t{-1}) == "-1");
  CHECK(print_field<std::int32_t>(largest<std::int32_t>) == "2147483647");
  CHECK(print_field<std::int64_t>(smallest<std::int64_t>) == "-9223372036854775808");
}

TEST_CASE("a double prints as the shortest number that reads as the same, and as null where it is none") {
  CHECK(print_field<double>(0.1) == "0.1");
  CHECK(print_field<double>(-2.5) == "-2.5");
  CHECK(print_field<double>(3.0) == "3.0"); // so that it is a float everywhere
  CHECK(print_field<double>(-0.0) == "-0.0");
  CHECK(print_field<double>(1175509818267061714944.0) == "1175509818267061714944.0");
  CHECK(print_field<double>(1e300) == "1e+300");
  CHECK(print_field<double>(smallest<double>) == "2.2250738585072014e-308");
  CHECK(print_field<double>(std::numeric_limits<double>::infinity()) == "null");
  CHECK(print_field<double>(std::numeric_limits<double>::quiet_NaN()) == "null");
}

TEST_CASE("what may be null prints as null or as its value, whatever the value is") {
  CHECK(print_null_or<bool>({}) == "null");
  CHECK(print_null_or<bool>(false) == "false");
  CHECK(print_null_or<bool>(true) == "true");
  CHECK(print_null_or<std::uint8_t>({}) == "null");
  CHECK(print_null_or<std::uint8_t>(0) == "0");
  CHECK(print_null_or<std::uint8_t>(255) == "255");
  CHECK(print_null_or<std::uint16_t>(largest<std::uint16_t>) == "65535");
  CHECK(print_null_or<std::uint32_t>(largest<std::uint32_t>) == "4294967295");
  CHECK(print_null_or<std::uint64_t>({}) == "null");
  CHECK(print_null_or<std::uint64_t>(largest<std::uint64_t>) == "18446744073709551615");
  CHECK(print_null_or<std::int8_t>({}) == "null");
  CHECK(print_null_or<std::int8_t>(-1) == "-1");
  CHECK(print_null_or<std::int32_t>(smallest<std::int32_t>) == "-2147483648");
  CHECK(print_null_or<std::int64_t>(smallest<std::int64_t>) == "-9223372036854775808");
  CHECK(print_null_or<double>({}) == "null");
  CHECK(print_null_or<double>(0.5) == "0.5");
  CHECK(print_null_or<TimeNs>({}) == "null");
  CHECK(print_null_or<DurationNs>(DurationNs{1}) == "0.000000001");
  CHECK(print_null_or<MacAddress>({}) == "null");
}

TEST_CASE("addresses print as strings, and as null where the version is neither 4 nor 6") {
  CHECK(print_field<Address>(address(4, {192, 168, 0, 10})) == "\"192.168.0.10\"");
  CHECK(print_field<Address>(address(6, {0x20, 1, 0x0d, 0xb8})) == "\"2001:db8::\"");
  CHECK(print_field<Address>(address(0, {1, 2, 3, 4})) == "null");
  CHECK(print_field<Address>(address(255, {1, 2, 3, 4})) == "null");
  CHECK(print_field<MacAddress>(MacAddress{0, 0x11, 0x22, 0xAA, 0xBB, 0xFF}) == "\"00:11:22:aa:bb:ff\"");
}

TEST_CASE("times and durations print as seconds that stay a float") {
  CHECK(print_field<TimeNs>(TimeNs{1'213'855'701'147'824'000}) == "1213855701.147824");
  CHECK(print_field<TimeNs>(TimeNs{1'213'855'701'000'000'000}) == "1213855701.0");
  CHECK(print_field<DurationNs>(DurationNs{1'500'000'000}) == "1.5");
}

TEST_CASE("an enumeration prints by its names, and as null where there is none") {
  const std::vector<std::string> names{"", "one", std::string(63, 'x'), "q\"\\"};
  CHECK(print_field<EnumValue>(EnumValue{0}, names) == "null");
  CHECK(print_field<EnumValue>(EnumValue{1}, names) == "\"one\"");
  CHECK(print_field<EnumValue>(EnumValue{2}, names) == '"' + names[2] + '"');
  CHECK(print_field<EnumValue>(EnumValue{3}, names) == R"("q\"\\")");
  CHECK(print_field<EnumValue>(EnumValue{4}, names) == "null");
  CHECK(print_field<EnumValue>(EnumValue{255}) == "null");
  CHECK(print_field<Nullable<EnumValue>>(std::int16_t{-1}, names) == "null");
  CHECK(print_field<Nullable<EnumValue>>(std::int16_t{1}, names) == "\"one\"");
}

TEST_CASE("text is escaped; what is not UTF-8 is taken for Latin-1; an empty text is none that is missing") {
  CHECK(print_tail<Text>(octets_of("www.example.org")) == "\"www.example.org\"");
  CHECK(print_tail<Text>(octets_of("a\"b\\c\nd")) == R"("a\"b\\c\u000ad")");
  CHECK(print_tail<Text>(octets_of("Gr\xC3\xBC\xC3\x9F"
                                   "e")) == "\"Gr\xC3\xBC\xC3\x9F"
                                            "e\"");
  CHECK(print_tail<Text>(octets_of("Gr\xFC\xDF"
                                   "e")) == "\"Gr\xC3\xBC\xC3\x9F"
                                            "e\"");
  CHECK(print_tail<Text>({}) == "\"\"");
  CHECK(print_field<Text>(TailRef{}) == "null");
}

TEST_CASE("octets print in hexadecimal, lists as arrays") {
  CHECK(print_tail<OctetString>(octets_of("\x01\xFF")) == "\"01ff\"");
  CHECK(print_tail<OctetString>({}) == "\"\"");
  CHECK(print_field<OctetString>(TailRef{}) == "null");
  CHECK(print_list<std::uint8_t>({1, 2, 255}) == "[1,2,255]");
  CHECK(print_list<std::uint16_t>({65535}) == "[65535]");
  CHECK(print_list<std::uint32_t>({}) == "[]");
  CHECK(print_list<std::uint64_t>({largest<std::uint64_t>, 0}) == "[18446744073709551615,0]");
  CHECK(print_list<std::int8_t>({-128, 127}) == "[-128,127]");
  CHECK(print_list<std::int64_t>({smallest<std::int64_t>}) == "[-9223372036854775808]");
  CHECK(print_list<double>({0.5, std::numeric_limits<double>::infinity()}) == "[0.5,null]");
  CHECK(print_tail<List<Text>>(list_of_texts({"h2", "", "a\"b"})) == R"(["h2","","a\"b"])");
  CHECK(print_tail<List<Text>>({}) == "[]");
  CHECK(print_field<List<Text>>(TailRef{}) == "null");
}

TEST_CASE("fields stand in the table's order, whatever the order of their offsets") {
  auto table = Table().add<std::uint8_t>("second").add<std::uint8_t>("first").description();
  std::swap(table.fields[0], table.fields[1]);
  Record record(table.record_octets);
  record[80] = std::byte{2};
  record[81] = std::byte{1};
  CHECK(print(JsonRows(table), record) == "{\"first\":1,\"second\":2}");
}

TEST_CASE("an event's object begins with its table") {
  const auto table = Table::events("dns").add<std::uint8_t>("a");
  CHECK(print(JsonRows(table.description(), "\"event\":\"dns\""), table.record()) == R"({"event":"dns","a":0})");
  const auto bare = Table::events("dns");
  CHECK(print(JsonRows(bare.description(), "\"event\":\"dns\""), bare.record()) == R"({"event":"dns"})");
}

TEST_CASE("a table without fields prints empty objects") {
  CHECK(print(Table(), Table().record()) == "{}");
}

TEST_CASE("members are those that are wanted, under their own names or their mirrors'") {
  const auto table = Table()
                         .add<std::uint8_t>("a_fwd")
                         .add<std::uint8_t>("a_rev")
                         .mirrored()
                         .add<std::uint8_t>("plain")
                         .add<std::uint8_t>("left_out");
  auto record = table.record();
  for (std::uint8_t field = 0; field < 4; ++field)
    table.set(record, field, field);
  const JsonRows rows(table.description());
  using W = JsonRows::Wanted;
  const std::vector<W> wanted{W::yes, W::yes, W::yes, W::no};
  std::string out(rows.max_octets(row_of(record)), '\0');
  const auto members = [&](bool mirrored) {
    return std::string(out.data(), rows.print_members(row_of(record), wanted, mirrored, out.data()));
  };
  CHECK(members(false) == R"(,"a_fwd":0,"a_rev":1,"plain":2)");
  CHECK(members(true) == R"(,"a_rev":0,"a_fwd":1,"plain":2)");
  CHECK(std::string(out.data(), rows.print_value(row_of(record), 3, out.data())) == "3");
}

TEST_CASE("the longest line of a large table stays within its bounds") {
  Table table;
  for (std::size_t i = 0; i < max_fields; ++i)
    table.add<Address>("f" + std::string(56, 'x') + std::to_string(i));
  auto record = table.record();
  Address longest{};
  std::fill(std::begin(longest.octets), std::end(longest.octets), std::uint8_t{0xFF});
  longest.version = 6;
  for (std::size_t i = 0; i < max_fields; ++i)
    table.set(record, i, longest);
  CHECK(print(table, record).size() > max_fields * 95);
}

TEST_CASE("whatever octets the fixed part of a row holds, its line is valid JSON with every field") {
  Table table;
  const auto types = static_cast<unsigned>(FieldTypes::size);
  for (unsigned type = 1; type <= types; ++type)
    table.add("f" + std::to_string(type), static_cast<FieldType>(type), {"zero", "one", "\"two\""});
  const JsonRows rows(table.description());
  std::mt19937 random(4);
  simdjson::dom::parser parser;
  for (int i = 0; i < 20'000; ++i) {
    auto record = table.record();
    for (auto& octet : record)
      octet = static_cast<std::byte>(random());
    for (unsigned type = 0; type < types; ++type) // what a stream's rows are checked for
      if (has_tail(table.description().fields[type].type))
        table.set(record, type, TailRef{});
    simdjson::dom::object object;
    const auto line = print(rows, record);
    REQUIRE_MESSAGE(parser.parse(line).get(object) == simdjson::SUCCESS, line);
    REQUIRE(object.size() == types);
  }
}
