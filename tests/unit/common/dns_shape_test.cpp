// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/dns_shape.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

using namespace orbweaver;

namespace {

/// A message with that header and `extra` octets after it.
std::vector<std::uint8_t> message(std::uint8_t flags, std::uint16_t questions, std::uint16_t answers,
                                  std::uint16_t authorities, std::uint16_t additionals, std::size_t extra) {
  std::vector<std::uint8_t> octets{0x12, 0x34, flags, 0};
  for (const auto count : {questions, answers, authorities, additionals}) {
    octets.push_back(static_cast<std::uint8_t>(count >> 8));
    octets.push_back(static_cast<std::uint8_t>(count));
  }
  octets.resize(12 + extra);
  return octets;
}

} // namespace

TEST_CASE(
    "a header alone may be a response where it says an error or answers an update, a query or a shorter one not") {
  const auto header = [](std::uint8_t flags, std::uint8_t code, std::size_t extra = 0) {
    auto octets = message(flags, 0, 0, 0, 0, extra);
    octets[3] = code;
    return octets;
  };
  CHECK(may_be_dns_response(header(0x80, 1)));
  CHECK(may_be_dns_response(header(0x81, 0x85)));
  CHECK_FALSE(may_be_dns_response(header(0x80, 0)));
  CHECK_FALSE(may_be_dns_response(header(0x80, 12)));
  CHECK_FALSE(may_be_dns_response(header(0x80, 1, 1)));
  CHECK_FALSE(may_be_dns_response(header(0x00, 1)));
  CHECK(may_be_dns_response(header(0x80 | 5 << 3, 0)));
  CHECK(may_be_dns_response(header(0x80 | 6 << 3, 0, 8)));
  auto cut = header(0x80, 1);
  cut.pop_back();
  CHECK_FALSE(may_be_dns_response(cut));
  CHECK_FALSE(may_be_dns_response({}));
}

TEST_CASE("only opcodes that are assigned may be a response's") {
  for (const unsigned opcode : {0u, 1u, 2u, 4u, 5u})
    CHECK_MESSAGE(may_be_dns_response(message(static_cast<std::uint8_t>(0x80 | opcode << 3), 1, 0, 0, 0, 5)), opcode);
  for (const unsigned opcode : {3u, 6u, 7u, 15u})
    CHECK_FALSE_MESSAGE(may_be_dns_response(message(static_cast<std::uint8_t>(0x80 | opcode << 3), 1, 0, 0, 0, 5)),
                        opcode);
}

TEST_CASE("a message must be as long as its records need at the least") {
  CHECK(may_be_dns_response(message(0x80, 1, 0, 0, 0, 5)));
  CHECK_FALSE(may_be_dns_response(message(0x80, 1, 0, 0, 0, 4)));
  CHECK(may_be_dns_response(message(0x80, 1, 1, 1, 1, 5 + 33)));
  CHECK_FALSE(may_be_dns_response(message(0x80, 1, 1, 1, 1, 5 + 32)));
  CHECK_FALSE(may_be_dns_response(message(0x80, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 60'000)));
}

TEST_CASE("over TCP the length prefix says which octets are the message") {
  const std::vector<std::uint8_t> whole{0, 3, 7, 8, 9, 1, 1};
  const auto found = dns_over_tcp(whole);
  REQUIRE(found.size() == 3);
  CHECK(found.data() == whole.data() + 2);
  CHECK(dns_over_tcp(std::vector<std::uint8_t>{0, 3, 7, 8}).empty());
  CHECK(dns_over_tcp(std::vector<std::uint8_t>{0xFF, 0xFF, 7, 8}).empty());
  CHECK(dns_over_tcp(std::vector<std::uint8_t>{0, 0}).empty());
  CHECK(dns_over_tcp(std::vector<std::uint8_t>{0}).empty());
  CHECK(dns_over_tcp({}).empty());
}
