// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/row_digest.hpp"

#include "tests/unit/merger/flow_stream.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

Digest digest_of(const Table& table, const std::vector<Record>& records) {
  RowDigest rows(table.description());
  Digest digest;
  for (const auto& record : records)
    rows.add(row_of(record), digest);
  return digest;
}

template <typename Type, typename Stored>
Digest digest_of_field(const Stored& value) {
  const auto table = Table().add<Type>("f");
  auto record = table.record();
  table.set(record, 0, value);
  return digest_of(table, {record});
}

} // namespace

TEST_CASE("the digest is of the values: it does not know where in the record they lie, or in which order rows come") {
  const auto here = Table().add<std::uint16_t>("a").add<Text>("b");
  const auto there = Table("flows", 300).add<std::uint16_t>("a").add<Text>("b");
  std::vector<Record> rows_here, rows_there;
  for (std::uint16_t i = 0; i < 50; ++i)
    for (const auto& [table, rows] : {std::pair(&here, &rows_here), std::pair(&there, &rows_there)}) {
      auto record = table->record();
      table->set(record, 0, i);
      table->set_tail(record, 1, octets_of("name " + std::to_string(i)));
      rows->push_back(record);
    }
  std::ranges::reverse(rows_there);
  CHECK(digest_of(here, rows_here) == digest_of(there, rows_there));
}

TEST_CASE("another value, name, type or table is another digest") {
  const auto digest = digest_of_field<std::uint8_t>(std::uint8_t{1});
  CHECK_FALSE(digest_of_field<std::uint8_t>(std::uint8_t{2}) == digest);
  CHECK_FALSE(digest_of_field<std::int8_t>(std::int8_t{1}) == digest);
  const auto renamed = Table().add<std::uint8_t>("g");
  auto record = renamed.record();
  renamed.set(record, 0, std::uint8_t{1});
  CHECK_FALSE(digest_of(renamed, {record}) == digest);
  CHECK_FALSE(digest_of(Table("other").add<std::uint8_t>("f"), {record}) == digest);
}

TEST_CASE("a text that is missing is none that is empty, and texts do not run into one another") {
  const auto table = Table().add<Text>("a").add<Text>("b");
  const auto digest = [&](const char* a, const char* b) {
    auto record = table.record();
    for (std::size_t field = 0; const char* text : {a, b}) {
      if (text)
        table.set_tail(record, field, octets_of(text));
      ++field;
    }
    return digest_of(table, {record});
  };
  CHECK_FALSE(digest("ab", "c") == digest("a", "bc"));
  CHECK_FALSE(digest("", nullptr) == digest(nullptr, ""));
  CHECK_FALSE(digest("", "") == digest(nullptr, nullptr));
}

TEST_CASE("octets that are no part of a value change nothing") {
  Address short_one{{192, 0, 2, 1}, 4}, with_rest = short_one;
  with_rest.octets[15] = 9;
  CHECK(digest_of_field<Address>(short_one) == digest_of_field<Address>(with_rest));
  CHECK(digest_of_field<Address>(Address{{1}, 0}) == digest_of_field<Address>(Address{{2}, 77}));
  CHECK(digest_of_field<bool>(std::uint8_t{1}) == digest_of_field<bool>(std::uint8_t{200}));
  CHECK(digest_of_field<Nullable<std::uint8_t>>(std::int16_t{-1}) ==
        digest_of_field<Nullable<std::uint8_t>>(std::int16_t{-7}));
  CHECK_FALSE(digest_of_field<Nullable<std::uint8_t>>(std::int16_t{0}) ==
              digest_of_field<Nullable<std::uint8_t>>(std::int16_t{-1}));
}

TEST_CASE("every type is hashed, and changes the digest by each of its octets that is a value") {
  for (unsigned code = 1; code <= FieldTypes::size; ++code) {
    const auto type = static_cast<FieldType>(code);
    const auto table = Table().add("f", type);
    const auto octets = std::vector<std::byte>(8, std::byte{1});
    const auto with = [&](std::byte change) {
      auto record = table.record();
      if (has_tail(type)) {
        auto tail = type == code_of<List<Text>> ? list_of_texts({"texts"}) : octets;
        tail.back() ^= change;
        table.set_tail(record, 0, tail);
      } else {
        std::ranges::fill(record, std::byte{4}); // of an address: its version; of what may be null: that it is not
        record[table.description().fields[0].offset] = change;
      }
      return digest_of(table, {record});
    };
    const bool is_small = type == code_of<bool> || field_size(type) == 1;
    if (is_small)
      continue; // the octet is both the first and the last one
    CHECK_MESSAGE(!(with(std::byte{1}) == with(std::byte{2})), to_string(type));
  }
}
