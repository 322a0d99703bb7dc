// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/builder.hpp"

#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <simdjson.h>

using namespace orbweaver;

namespace {

template <typename Value>
std::string value_text(const Value& value) {
  std::string text;
  json::append_value(text, value);
  return text;
}

std::string document(json::Layout layout) {
  std::string text;
  {
    json::Object object(text, layout);
    {
      json::Array array = object.array("a");
      array.add(1).add(true).add(nullptr);
      array.array().add("x");
      array.object().add("y", 2);
    }
    static_cast<void>(object.object("b"));
    object.add("c", json::Decimal{1.5, 3});
  }
  return text;
}

} // namespace

TEST_CASE("a document stands on one line, or indented") {
  CHECK(document(json::Layout::one_line) == R"({"a":[1,true,null,["x"],{"y":2}],"b":{},"c":1.500})");
  CHECK(document(json::Layout::indented) == R"({
  "a": [
    1,
    true,
    null,
    [
      "x"
    ],
    {
      "y": 2
    }
  ],
  "b": {},
  "c": 1.500
})");
}

TEST_CASE("values are written by their type") {
  CHECK(value_text(true) == "true");
  CHECK(value_text(std::uint8_t{200}) == "200");
  CHECK(value_text(std::int8_t{-5}) == "-5");
  CHECK(value_text(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(value_text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(value_text("a \"b\"") == R"("a \"b\"")");
  CHECK(value_text(std::string("\xff")) == "\"\u00ff\"");
  CHECK(value_text(std::optional<int>(3)) == "3");
  CHECK(value_text(std::optional<std::string_view>()) == "null");
  CHECK(value_text(nullptr) == "null");
}

TEST_CASE("a double has the digits that it needs, and is null where it is not finite") {
  CHECK(value_text(0.1) == "0.1");
  CHECK(value_text(-1e300) == "-1e+300");
  CHECK(value_text(2.0) == "2");
  CHECK(value_text(-std::numeric_limits<double>::denorm_min()) == "-5e-324");
  CHECK(value_text(-std::numeric_limits<double>::max()) == "-1.7976931348623157e+308");
  CHECK(value_text(json::Decimal{2.0 / 3, 6}) == "0.666667");
  for (const double value : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                             std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(value_text(value) == "null");
    CHECK(value_text(json::Decimal{value, 3}) == "null");
  }
}

TEST_CASE("keys may be any octets") {
  std::string text;
  json::Object(text).add("a\"\n\xe9", 1);
  CHECK(text == "{\"a\\\"\\u000a\u00e9\":1}");
}

TEST_CASE("members without braces go on behind those that are there") {
  std::string text;
  json::Object::members_of(text).add("a", 1);
  json::Object::members_of(text).add("b", "}").array("c").add("{");
  json::append_key(text, "d");
  json::append_value(text, false);
  CHECK(text == R"("a":1,"b":"}","c":["{"],"d":false)");
}

TEST_CASE("a range is an array") {
  std::string text;
  json::Array(text).add_all(std::array{"x", "y"});
  CHECK(text == R"(["x","y"])");
}

TEST_CASE("text that is JSON already is added only where it is") {
  std::string text;
  {
    json::Object object(text);
    CHECK(object.add_json("a", R"([1,{"b":1e999}])"));
    const auto verdict = object.add_json("c", R"("un"escaped")");
    CHECK_FALSE(verdict);
    CHECK(json::to_string(verdict) == "the end is expected at octet 4");
  }
  CHECK(text == R"({"a":[1,{"b":1e999}]})");
}
