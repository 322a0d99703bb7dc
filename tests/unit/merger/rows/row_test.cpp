// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/row.hpp"

#include "tests/unit/merger/flow_stream.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// What is said of a record: an empty string where it is a row of the stream.
std::string damage(const StreamDescription& stream, Record record, std::uint16_t table = 0) {
  const RecordHeader header{static_cast<std::uint32_t>(record.size()), RecordKind::row, table};
  std::memcpy(record.data(), &header, sizeof header);
  StreamRows rows(stream);
  RowView row;
  const bool taken = rows.take(reinterpret_cast<const RecordHeader&>(*record.data()), row);
  CHECK(taken == rows.damage().empty());
  return rows.damage();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const Table text_table = Table().add<Text>("first").add<Text>("second");
constexpr std::uint32_t fixed = sizeof(FlowRecord) + 2 * sizeof(TailRef);

/// A row with these references and a tail of ten octets.
std::string damage_of(TailRef first, TailRef second = {}) {
  auto record = text_table.record();
  text_table.set(record, 0, first);
  text_table.set(record, 1, second);
  record.resize(record.size() + 10);
  return damage(text_table.stream(), record);
}

template <typename Element>
std::string damage_of_list(std::vector<std::byte> octets) {
  const auto table = Table().add<List<Element>>("list");
  auto record = table.record();
  table.set_tail(record, 0, octets);
  return damage(table.stream(), record);
}

} // namespace

TEST_CASE("a row without tails has just its table's length, and stays where it is") {
  const auto table = Table().add<std::uint64_t>("n");
  Record record = table.record();
  CHECK(damage(table.stream(), record).empty());
  record.push_back({});
  CHECK(damage(table.stream(), record) == "a row of 89 octets, its table 'flows' says 88");
  record.resize(87);
  CHECK(damage(table.stream(), record) == "a row of 87 octets, its table 'flows' says 88");
  CHECK(damage(table.stream(), table.record(), 1) == "a row of table 1, its stream has 1");

  record = table.record();
  const RecordHeader header{88, RecordKind::row, 0};
  std::memcpy(record.data(), &header, sizeof header);
  StreamRows rows(table.stream());
  RowView row;
  CHECK(rows.take(reinterpret_cast<const RecordHeader&>(*record.data()), row));
  CHECK(row.record == record.data());
}

TEST_CASE("a tail lies behind the fixed part and within the row, to the octet") {
  CHECK(damage_of({}).empty());
  CHECK(damage_of({fixed, 10}).empty());
  CHECK(damage_of({fixed + 10, 0}).empty());
  CHECK(damage_of({fixed, 4}, {fixed + 4, 6}).empty());
  for (const TailRef bad : {TailRef{fixed - 1, 1}, TailRef{1, 0}, TailRef{fixed, 11}, TailRef{fixed + 1, 10},
                            TailRef{fixed + 11, 0}, TailRef{0xFFFFFFFF, 1}, TailRef{0xFFFFFFFF, 0xFFFFFFFF},
                            TailRef{fixed, 0xFFFFFFFF}, TailRef{fixed + 2, 0xFFFFFFFF - fixed}}) {
    CHECK_MESSAGE(contains(damage_of(bad), "whose field 'first' lies outside"), bad.at);
    CHECK(contains(damage_of({}, bad), "whose field 'second' lies outside"));
  }
}

TEST_CASE("tails that lie in one another are damage: a small row cannot become a huge line") {
  CHECK(contains(damage_of({fixed, 10}, {fixed, 10}), "whose field 'second' lies where another one lies"));
  CHECK(contains(damage_of({fixed, 6}, {fixed + 4, 6}), "lies where another one lies"));
}

TEST_CASE("a list ends where an element does") {
  using Octets = std::vector<std::byte>;
  CHECK(damage_of_list<std::uint32_t>(Octets(8)).empty());
  CHECK(contains(damage_of_list<std::uint32_t>(Octets(7)), "ends within an element"));
  CHECK(contains(damage_of_list<double>(Octets(4)), "ends within an element"));
  CHECK(damage_of_list<Text>(list_of_texts({"a", "", "bc"})).empty());
  auto texts = list_of_texts({"a", "bc"});
  texts.pop_back();
  CHECK(contains(damage_of_list<Text>(texts), "ends within a text"));
  texts = list_of_texts({"a"});
  texts.resize(texts.size() + 3);
  CHECK(contains(damage_of_list<Text>(texts), "ends within the length of a text"));
  CHECK(contains(damage_of_list<Text>(Octets(4, std::byte{0xFF})), "ends within a text"));
}
