// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rows/digest.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

Digest digest_of(const std::vector<std::string>& lines) {
  Digest digest;
  for (const auto& line : lines)
    digest.add(line);
  return digest;
}

} // namespace

TEST_CASE("the digest does not depend on the order of the lines") {
  std::vector<std::string> lines;
  for (int i = 0; i < 1000; ++i)
    lines.push_back("{\"n\":" + std::to_string(i) + "}");
  const auto digest = digest_of(lines);
  std::shuffle(lines.begin(), lines.end(), std::mt19937(5));
  CHECK(digest_of(lines) == digest);
}

TEST_CASE("the digest changes with any octet of a line") {
  const std::string line = R"({"pkt_first":1213855701.147824,"sip":"192.168.0.10","sp":null,"tcp_connected":false})";
  const auto digest = digest_of({line, "other"});
  for (std::size_t i = 0; i < line.size(); ++i) {
    auto changed = line;
    changed[i] ^= 1;
    CHECK_FALSE(digest_of({changed, "other"}) == digest);
  }
}

TEST_CASE("a line that comes twice, or not at all, changes the digest") {
  CHECK_FALSE(digest_of({"a", "b"}) == digest_of({"a", "b", "b"}));
  CHECK_FALSE(digest_of({"a", "b", "b"}) == digest_of({"a", "b", "b", "b"}));
  CHECK_FALSE(digest_of({"a", "b"}) == digest_of({"a"}));
  CHECK_FALSE(digest_of({"a"}) == digest_of({}));
}

TEST_CASE("a digest prints as 32 digits, the high half first") {
  CHECK(Digest{}.text() == "00000000000000000000000000000000");
  CHECK(Digest{0x0123456789abcdef, 0xf}.text() == "000000000000000f0123456789abcdef");
}

TEST_CASE("a digest means the same in every version") {
  CHECK(digest_of({"{\"n\":1}", "{\"n\":2}"}).text() == "40e407fc0ff203e842aad4b7a37bc5a7");
}
