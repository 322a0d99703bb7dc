// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/checked_members.hpp"

#include <array>
#include <doctest/doctest.h>

using namespace orbweaver;

namespace {

constexpr std::array<std::string_view, 2> reserved{"sp", "dip"};

std::string left_out(const json::CheckedMembers& members) {
  std::string text;
  for (const auto& [key, why] : members.left_out())
    text += (text.empty() ? "" : "; ") + key + ": " + why;
  return text;
}

} // namespace

TEST_CASE("what is typed is always JSON") {
  json::CheckedMembers members(reserved);
  CHECK(members.empty());
  members.add("a", 1);
  members.add("b\"", "un\"escaped\xff");
  members.add_object("c", [](json::Object& object) { object.add("d", true).array("e").add(1.5); });
  members.add_array("f", [](json::Array& array) { array.add(nullptr); });
  CHECK(members.text() == "\"a\":1,\"b\\\"\":\"un\\\"escaped\u00ff\",\"c\":{\"d\":true,\"e\":[1.5]},\"f\":[null]");
  CHECK(members.left_out().empty());
}

TEST_CASE("text is taken where it is JSON, else left out with the reason") {
  json::CheckedMembers members(reserved);
  members.add_json("a", "[1, 2]");
  members.add_json("b", R"("un"escaped")");
  members.add_members(R"("c":1e999,"d":{})");
  members.add_members(R"("e":1,"f":"un"escaped")");
  members.add_members("");
  members.add_json("g", "1\n");
  CHECK(members.text() == R"("a":[1, 2],"c":1e999,"d":{})");
  CHECK(left_out(members) == "b: the end is expected at octet 4; : a comma is expected at octet 14; "
                             "g: the end is expected at octet 1");
}

TEST_CASE("a key that is reserved or there already is left out, however it is written") {
  json::CheckedMembers members(reserved);
  members.add("a", 1);
  members.add("a", 2);
  members.add("sp", 3);
  members.add_members(R"("x":4,"s\u0070":5,"\u0061":6,"x":7)");
  members.add_json("dip", "8");
  members.add_object("sp", [](json::Object&) { FAIL("nothing is built for it"); });
  CHECK(members.text() == R"("a":1,"x":4,"x":7)");
  CHECK(left_out(members) == "a: that key is there already; sp: that key is reserved; sp: that key is reserved; "
                             "a: that key is there already; dip: that key is reserved; sp: that key is reserved");
}

TEST_CASE("the longest members make room, wherever they stand") {
  const std::string_view all = R"("a":1,"bb":22,"ccc":333)";
  const auto shortened = [all](std::string_view long_key, std::size_t octets) {
    json::CheckedMembers members;
    std::vector<json::Member> split;
    REQUIRE(json::split_members(all, split));
    for (const auto& [key, value] : split)
      members.add_json(key, key == long_key ? "1000000000" : value);
    members.shorten_to(octets, "so it is");
    CHECK(members.left_out().at(0).key == long_key);
    CHECK(members.left_out().at(0).why.ends_with(" octets are too many: so it is"));
    members.add("z", 0); // those that are left are in their places still
    members.shorten_to(members.text().size() - 1, "");
    return std::string(members.text());
  };
  CHECK(shortened("a", 18) == R"("bb":22,"z":0)");
  CHECK(shortened("bb", 17) == R"("a":1,"z":0)");
  CHECK(shortened("ccc", 14) == R"("a":1,"z":0)");
  json::CheckedMembers one;
  one.add("a", 1);
  one.shorten_to(5, "");
  CHECK(one.text() == R"("a":1)");
  one.shorten_to(4, "");
  CHECK(one.empty());
  one.add("b", 1);
  CHECK(one.text() == R"("b":1)");
}
