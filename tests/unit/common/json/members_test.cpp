// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/members.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>
#include <string>

using namespace orbweaver;

namespace {

bool is_members(std::string_view text) {
  std::vector<json::Member> members;
  return bool(json::split_members(text, members));
}

} // namespace

TEST_CASE("members are split with their keys and values as they were written") {
  std::vector<json::Member> members;
  REQUIRE(json::split_members(" \"a\" : 1.50 ,\t\"b\\\"\":[1, {\"c\":null}] , \"\":\"\\u00e9 ü\"", members));
  REQUIRE(members.size() == 3);
  CHECK(members[0].key == "a");
  CHECK(members[0].value == "1.50");
  CHECK(members[1].key == "b\\\"");
  CHECK(members[1].value == "[1, {\"c\":null}]");
  CHECK(members[2].key.empty());
  CHECK(members[2].value == "\"\\u00e9 ü\"");
  REQUIRE(json::split_members("", members));
  CHECK(members.empty());
}

TEST_CASE("what JSON allows is taken: numbers of any size, all escapes, empty lists, depth") {
  for (const char* value :
       {"0", "-0", "12", "-1.25", "1e999", "1E+5", "0.1e-7", "123456789012345678901234567890", "true", "false", "null",
        "\"\"", R"("\"\\\/\b\f\n\r\t\uABcd")", "[]", "{}", "[[],{}]", "[ ]", "{ }", R"({"a":{"a":[1,"x"]}})"})
    CHECK_MESSAGE(is_members(std::string("\"a\":") + value), value);
  CHECK(is_members("\"a\":" + std::string(1000, '[') + std::string(1000, ']')));
}

TEST_CASE("what is no JSON is refused, wherever it stands") {
  for (const char* value :
       {"",           "01",   "-",   "1.",  ".5",   "+1",          "1e",      "1e+",       "0x1",         "NaN",
        "tru",        "True", "nul", "\"",  "\"a",  "\"\\\"",      "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\x01\"",
        "\"\n\"",     "[",    "[1",  "[1,", "[1,]", "[,]",         "{",       "{1}",       "{\"a\"}",     "{\"a\":}",
        "{\"a\":1,}", "}",    "]",   "1 2", "1}",   "1},{\"b\":2", "'a'",     "\"\xff\"",  "\"\xc3\"",    "[\n]"})
    CHECK_FALSE_MESSAGE(is_members(std::string("\"a\":") + value), value);
  for (const char* text : {"a:1", "\"a\"", "\"a\":1,", ",\"a\":1", "\"a\":1 \"b\":2", "1", "{}", "\n", "\"a\":1\n"})
    CHECK_FALSE_MESSAGE(is_members(text), text);
  CHECK_FALSE(is_members("\"a\":" + std::string(100'000, '[')));
  CHECK_FALSE(is_members("\"a\":" + std::string(2000, '[') + std::string(2000, ']')));
  CHECK_FALSE(is_members(std::string_view("\"a\":\"\0\"", 7)));
}

TEST_CASE("any cut of good members is refused or good JSON for simdjson too") {
  const std::string text = R"("a":[1,-2.5e3,"x\u0041\\"],"b":{"c":true,"d":[]},"e":null)";
  simdjson::dom::parser parser;
  for (std::size_t begin = 0; begin < text.size(); ++begin)
    for (std::size_t end = begin; end <= text.size(); ++end) {
      const auto part = text.substr(begin, end - begin);
      const bool is_json = parser.parse("{" + part + "}").error() == simdjson::SUCCESS;
      CHECK_MESSAGE(is_members(part) == is_json, part);
    }
}

TEST_CASE("a verdict says what was expected, and where") {
  const auto verdict = [](std::string_view text) {
    std::vector<json::Member> members;
    return json::to_string(json::split_members(text, members));
  };
  CHECK(verdict(R"("a":"un"escaped")") == "a comma is expected at octet 8");
  CHECK(verdict(R"("a":1,)") == "a key is expected at octet 6");
  CHECK(verdict(R"("a" 1)") == "a colon is expected at octet 4");
  CHECK(verdict(R"("a":)") == "a value is expected at octet 4");
  CHECK(verdict(R"("a":nul)") == "a value is expected at octet 4");
  CHECK(verdict(R"("a":1.x)") == "a value is expected at octet 4");
  CHECK(verdict(R"("a":"b)") == "a closing quotation mark is expected at octet 6");
  CHECK(verdict("\"a\":\"b\n\"") == "an escape is expected at octet 6");
  CHECK(verdict(R"("a":[1 2])") == "a comma or ] is expected at octet 7");
  CHECK(verdict(R"("a":{"b":1]})") == "a comma or } is expected at octet 10");
  CHECK(verdict("\"a\":\"\u00e9\xe9\"") == "UTF-8 is expected at octet 7");
  CHECK(verdict("\"a\":" + std::string(2000, '[')) == "an end of the nesting is expected at octet 1028");
}

TEST_CASE("a value alone is checked to its end") {
  CHECK(json::check_value("[1,{\"a\":null}]"));
  CHECK(json::check_value("1.50"));
  CHECK(json::to_string(json::check_value(R"("un"escaped")")) == "the end is expected at octet 4");
  CHECK(json::to_string(json::check_value("1,\"b\":2")) == "the end is expected at octet 1");
  CHECK(json::to_string(json::check_value("")) == "a value is expected at octet 0");
  CHECK(json::to_string(json::check_value("\"\xff\"")) == "UTF-8 is expected at octet 1");
}

TEST_CASE("members are added with commas where they are needed") {
  std::string object = "{";
  json::append_member(object, "a", "1");
  json::append_member(object, "b", "[]");
  CHECK(object == "{\"a\":1,\"b\":[]");
  std::string bare;
  json::append_member(bare, "a", "1");
  json::append_member(bare, "b", "{}");
  json::append_member(bare, "c", "2");
  CHECK(bare == R"("a":1,"b":{},"c":2)");
}
