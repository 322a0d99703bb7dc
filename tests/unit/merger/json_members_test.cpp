// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/json_members.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>
#include <string>

using namespace orbweaver;

namespace {

bool is_members(std::string_view text) {
  std::vector<JsonMember> members;
  return split_members(text, members);
}

} // namespace

TEST_CASE("members are split with their keys and values as they were written") {
  std::vector<JsonMember> members;
  REQUIRE(split_members(" \"a\" : 1.50 ,\t\"b\\\"\":[1, {\"c\":null}] , \"\":\"\\u00e9 ü\"", members));
  REQUIRE(members.size() == 3);
  CHECK(members[0].key == "a");
  CHECK(members[0].value == "1.50");
  CHECK(members[1].key == "b\\\"");
  CHECK(members[1].value == "[1, {\"c\":null}]");
  CHECK(members[2].key.empty());
  CHECK(members[2].value == "\"\\u00e9 ü\"");
  REQUIRE(split_members("", members));
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

TEST_CASE("strings are written so that they are JSON whatever is in them") {
  std::string text;
  append_string(text, "a\"b\\c\n\x01\x7f ü");
  CHECK(text == "\"a\\\"b\\\\c\\u000a\\u0001\x7f ü\"");
  text.clear();
  append_string(text, "\xff");
  CHECK(text == "\"\\u00ff\"");
}

TEST_CASE("members are added with commas where they are needed") {
  std::string object = "{";
  append_member(object, "a", "1");
  append_member(object, "b", "[]");
  CHECK(object == "{\"a\":1,\"b\":[]");
}
