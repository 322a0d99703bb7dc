// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/text.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>

using namespace orbweaver;

namespace {

std::string number(std::uint64_t value) {
  char text[64];
  return {text, json::print_number(value, text)};
}

std::string seconds(std::uint64_t ns) {
  char text[64];
  return {text, json::print_seconds(ns, text)};
}

using Octets = std::array<std::uint8_t, 16>;

std::string ipv6(const Octets& octets) {
  char text[64];
  return {text, json::print_ipv6(octets.data(), text)};
}

std::string ipv6(const char* text) {
  Octets octets{};
  REQUIRE(inet_pton(AF_INET6, text, octets.data()) == 1);
  return ipv6(octets);
}

void check_against_inet_ntop(const Octets& octets) {
  char expected[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, octets.data(), expected, sizeof expected);
  REQUIRE(ipv6(octets) == expected);
}

} // namespace

TEST_CASE("numbers around every power of ten and of two print as std::to_string does") {
  std::uint64_t ten = 1;
  for (int i = 0; i < 20; ++i, ten *= 10)
    for (const auto value : {ten - 1, ten, ten + 1})
      CHECK(number(value) == std::to_string(value));
  for (unsigned i = 0; i < 64; ++i)
    for (const auto value : {(std::uint64_t{1} << i) - 1, std::uint64_t{1} << i, (std::uint64_t{1} << i) + 1})
      CHECK(number(value) == std::to_string(value));
  CHECK(number(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
}

TEST_CASE("random numbers of every length print as std::to_string does") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t value = random() >> random() % 64;
    REQUIRE(number(value) == std::to_string(value));
  }
}

TEST_CASE("seconds have all their digits, no zeros at the end, and at least one decimal") {
  CHECK(seconds(1'213'855'701'147'824'000) == "1213855701.147824");
  CHECK(seconds(1'213'855'701'000'000'000) == "1213855701.0");
  CHECK(seconds(1'213'855'701'000'000'001) == "1213855701.000000001");
  CHECK(seconds(1'213'855'701'999'999'999) == "1213855701.999999999");
  CHECK(seconds(1'213'855'701'100'000'000) == "1213855701.1");
  CHECK(seconds(1'213'855'701'010'000'000) == "1213855701.01");
  CHECK(seconds(0) == "0.0");
  CHECK(seconds(1) == "0.000000001");
  CHECK(seconds(std::numeric_limits<std::uint64_t>::max()) == "18446744073.709551615");
}

TEST_CASE("every octet of an IPv4 address prints in its place") {
  for (unsigned value = 0; value < 256; ++value) {
    const auto octet = static_cast<std::uint8_t>(value);
    const std::uint8_t address[4] = {octet, 0, 255, octet};
    char text[64];
    CHECK(std::string(text, json::print_ipv4(address, text)) ==
          std::to_string(value) + ".0.255." + std::to_string(value));
  }
}

TEST_CASE("IPv6 addresses print by RFC 5952") {
  CHECK(ipv6("::") == "::");
  CHECK(ipv6("::1") == "::1");
  CHECK(ipv6("1::") == "1::");
  CHECK(ipv6("2001:DB8::1") == "2001:db8::1");
  CHECK(ipv6("2001:db8:0:1:1:1:1:1") == "2001:db8:0:1:1:1:1:1"); // one zero group alone is not shortened
  CHECK(ipv6("2001:0:0:1:0:0:0:1") == "2001:0:0:1::1");          // the longest run is
  CHECK(ipv6("2001:db8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");    // the first of two equal runs is
  CHECK(ipv6("1:2:3:4:5:6:0:0") == "1:2:3:4:5:6::");
  CHECK(ipv6("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  CHECK(ipv6("::ffff:192.0.2.1") == "::ffff:192.0.2.1");
  CHECK(ipv6("::192.0.2.1") == "::192.0.2.1");
  CHECK(ipv6("::ffff:0:0") == "::ffff:0.0.0.0");
  CHECK(ipv6("64:ff9b::192.0.2.1") == "64:ff9b::c000:201");
}

TEST_CASE("IPv6 addresses print as inet_ntop prints them, for every set of zero groups") {
  std::mt19937_64 random(2);
  for (unsigned zeros = 0; zeros < 256; ++zeros) {
    for (int i = 0; i < 200; ++i) {
      Octets octets{};
      for (unsigned group = 0; group < 8; ++group) {
        if (zeros >> group & 1)
          continue;
        const auto value = static_cast<std::uint16_t>(random() % 4 == 0 ? 0xFFFF : random() >> random() % 64);
        octets[2 * group] = static_cast<std::uint8_t>(value >> 8);
        octets[2 * group + 1] = static_cast<std::uint8_t>(value);
      }
      check_against_inet_ntop(octets);
    }
  }
}

TEST_CASE("random IPv6 addresses print as inet_ntop prints them") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t halves[2] = {random(), random()};
    Octets octets;
    std::memcpy(octets.data(), halves, sizeof halves);
    check_against_inet_ntop(octets);
  }
}
