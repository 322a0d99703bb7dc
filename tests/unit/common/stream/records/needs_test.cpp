// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/needs.hpp"

#include "common/error.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace orbweaver;

TEST_CASE("needs are written by name, and read back as they were") {
  CHECK(needs_text(Need::none) == "none");
  CHECK(needs_text(Need::tcp_options | Need::payload("dns")) == "tcp-options,dns");
  CHECK(parse_needs("none") == Need::none);
  CHECK(parse_needs("all") == Need::all);
  CHECK(parse_needs(needs_text(Need::all)) == Need::all);
  for (const NeedName& need : need_names)
    CHECK(parse_needs(need.name) == need.bits);
}

TEST_CASE("the options of every segment include those of SYNs") {
  CHECK((Need::all_tcp_options & Need::tcp_options) != 0);
  CHECK((parse_needs("all-tcp-options") & Need::tcp_options) != 0);
  // What is missing is named though half of it is there.
  CHECK(needs_in_words(Need::all_tcp_options & ~Need::tcp_options) == "TCP options of all segments");
}

TEST_CASE("needs are told to people in words") {
  CHECK(needs_in_words(Need::none).empty());
  CHECK(needs_in_words(Need::vlan_tags | Need::payload("dns")) == "VLAN tags, DNS responses");
}

TEST_CASE("a name that is no need's is a usage error that says which ones there are") {
  for (const std::string text : {"", "vlan", "dns,", ",dns", "dns vlan-tags", "1"}) {
    CHECK_THROWS_AS(static_cast<void>(parse_needs(text)), UsageError);
    try {
      static_cast<void>(parse_needs(text));
    } catch (const UsageError& error) {
      CHECK(std::string(error.what()).find("icmp-sender") != std::string::npos);
    }
  }
}

TEST_CASE("a payload is of the first kind that was asked for and that it fits") {
  std::vector<std::uint8_t> response(12);
  response[2] = 0x80;
  response[3] = 1;
  CHECK(payload_kind_of<17>(Need::payloads, response) == PayloadName("dns").number());
  CHECK(payload_kind_of<17>(Need::none, response) == 0);
  CHECK(payload_kind_of<17>(Need::all & ~Need::payloads, response) == 0);
  CHECK(payload_kind_of<6>(Need::payloads, response) == 0); // without its length it is no response over TCP
  response.insert(response.begin(), {0, 12});
  CHECK(payload_kind_of<6>(Need::payloads, response) == PayloadName("dns").number());
}

TEST_CASE("no two kinds of payload have one name, and each has a limit that a record can tell") {
  for (std::size_t i = 0; i < payload_kinds.size(); ++i) {
    CHECK(payload_kinds[i].limit > 0);
    CHECK(payload_kinds[i].limit <= 65'535);
    for (const NeedName& need : need_names)
      CHECK((need.name == payload_kinds[i].name) == (need.bits == payload_kinds[i].need));
  }
}
