// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/tcp.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

/// The options of a list as text: "kind:octets of value" each.
std::string parse(const std::vector<std::uint8_t>& options) {
  std::string text;
  for_each_tcp_option(options, [&](const TcpOption& option) {
    if (!text.empty())
      text += ' ';
    text += std::to_string(option.kind) + ":";
    for (const auto octet : option.value)
      text += std::to_string(octet) + ",";
  });
  return text;
}

} // namespace

TEST_CASE("options come in order with their values") {
  CHECK(parse({2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}) == "2:5,180, 4: 8:1,2,3,4,5,6,7,8,");
}

TEST_CASE("no options give none") {
  CHECK(parse({}).empty());
}

TEST_CASE("NOP is passed over wherever it stands") {
  CHECK(parse({1, 1, 3, 3, 7, 1, 4, 2, 1}) == "3:7, 4:");
}

TEST_CASE("the list ends at EOL, whatever follows it") {
  CHECK(parse({4, 2, 0, 3, 3, 7}) == "4:");
  CHECK(parse({0}).empty());
}

TEST_CASE("a length of 0 or 1 ends the list") {
  CHECK(parse({4, 2, 3, 0, 7, 4, 2}) == "4:");
  CHECK(parse({4, 2, 3, 1, 7, 4, 2}) == "4:");
  CHECK(parse({254, 0}).empty());
}

TEST_CASE("a length past the end ends the list, one that ends with it does not") {
  CHECK(parse({4, 2, 3, 4, 7}) == "4:");
  CHECK(parse({4, 2, 3, 255}) == "4:");
  CHECK(parse({4, 2, 3, 3, 7}) == "4: 3:7,");
}

TEST_CASE("a kind in the last octet, without its length, ends the list") {
  CHECK(parse({4, 2, 3}) == "4:");
  CHECK(parse({2}).empty());
}

TEST_CASE("options that are repeated come every time") {
  CHECK(parse({3, 3, 1, 3, 3, 2, 3, 3, 1}) == "3:1, 3:2, 3:1,");
}

TEST_CASE("whatever the octets are, no value lies outside of them") {
  std::mt19937 random(6);
  for (int i = 0; i < 100'000; ++i) {
    std::vector<std::uint8_t> options(random() % 41);
    for (auto& octet : options)
      octet = static_cast<std::uint8_t>(random() % (i % 2 == 0 ? 12 : 256));
    const auto* begin = options.data();
    const auto* at = begin;
    for_each_tcp_option(options, [&](const TcpOption& option) {
      REQUIRE(option.value.data() >= at + 2);
      at = option.value.data() + option.value.size();
      REQUIRE(at <= begin + options.size());
    });
  }
}

TEST_CASE("names of flags and their sets have the values that users know") {
  CHECK(TCP_SA == 0x12);
  CHECK(TCP_SAE == 0x52);
  CHECK(TCP_SEC == 0xC2);
  CHECK(TCP_SAEC == 0xD2);
}
