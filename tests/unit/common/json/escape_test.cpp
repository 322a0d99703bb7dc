// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/escape.hpp"

#include <doctest/doctest.h>
#include <random>
#include <simdjson.h>

using namespace orbweaver;

namespace {

std::string written(std::string_view octets) {
  std::string text;
  json::append_string(text, octets);
  return text;
}

} // namespace

TEST_CASE("quotation marks, backslashes and control characters are escaped, all else stays") {
  CHECK(written("a\"b\\c\n\x01\x7f ü") == "\"a\\\"b\\\\c\\u000a\\u0001\x7f ü\"");
  CHECK(written(std::string_view("\0", 1)) == "\"\\u0000\"");
  CHECK(written("") == "\"\"");
}

TEST_CASE("an octet that is not UTF-8 is the character of its number, and changes nothing around it") {
  CHECK(written("\xff") == "\"\u00ff\"");
  CHECK(written("caf\xe9") == "\"caf\u00e9\"");
  CHECK(written("\u20ac \xe9 \"\u20ac") == "\"\u20ac \u00e9 \\\"\u20ac\"");
  CHECK(written("\xe2\x82") == "\"\u00e2\u0082\"");           // a character that is cut off
  CHECK(written("\xc0\xaf") == "\"\u00c0\u00af\"");           // longer than need be
  CHECK(written("\xed\xa0\x80") == "\"\u00ed\u00a0\u0080\""); // half of a pair
}

TEST_CASE("whatever the octets, simdjson reads a string, and the same one where they were UTF-8") {
  std::mt19937 random(1);
  simdjson::dom::parser parser;
  for (int i = 0; i < 2000; ++i) {
    std::string octets(random() % 40, '\0');
    for (char& c : octets)
      c = static_cast<char>(random());
    std::string_view said;
    REQUIRE(parser.parse(written(octets)).get(said) == simdjson::SUCCESS);
    if (simdjson::validate_utf8(octets))
      CHECK(said == octets);
  }
}

TEST_CASE("valid UTF-8 is counted up to the first octet that is none") {
  CHECK(json::valid_utf8_octets("") == 0);
  CHECK(json::valid_utf8_octets("caf\u00e9") == 5);
  CHECK(json::valid_utf8_octets("caf\u00e9\xe9 \u00e9") == 5);
  CHECK(json::valid_utf8_octets("\u20ac\xe2\x82") == 3);
}

TEST_CASE("a string is read back as what it says") {
  CHECK(json::unescaped("plain ü") == "plain ü");
  CHECK(json::unescaped(R"(s\u0070\n\"\\)") == "sp\n\"\\");
  CHECK(json::unescaped(R"(\ud83d\ude00)") == "\U0001F600");
  CHECK(json::unescaped(R"(\ud83d)") == R"(\ud83d)");
}
