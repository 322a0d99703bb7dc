// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/number.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;

TEST_CASE("numbers of any size are numbers") {
  for (const char* text :
       {"0", "-0", "7", "1234567890123456789012345678901234567890", "-1.25", "0.0", "1e400", "1E+5", "0.1e-7", "-0e0"})
    CHECK_MESSAGE(json::is_number(text), text);
}

TEST_CASE("what reads like a number elsewhere is none in JSON") {
  for (const char* text : {"", "-", "+1", "01", "-01", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1 ", " 1", "1,2",
                           "NaN", "Infinity", "1_000", "--1"})
    CHECK_FALSE_MESSAGE(json::is_number(text), text);
}

TEST_CASE("a number ends where it cannot go on") {
  CHECK(json::number_octets("1.50,") == 4);
  CHECK(json::number_octets("01") == 1);
  CHECK(json::number_octets("-3]") == 2);
  CHECK(json::number_octets("1.x") == 0);
  CHECK(json::number_octets("x") == 0);
}
