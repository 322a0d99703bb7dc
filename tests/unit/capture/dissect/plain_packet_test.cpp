// SPDX-License-Identifier: GPL-3.0-or-later
// The short way against the long one, octet by octet.
#include "tests/unit/capture/dissect/plain_record.hpp"

#include <doctest/doctest.h>
#include <random>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::ethernet, craft::ipv4, craft::ipv6, craft::tcp, craft::udp;

namespace {

const auto ip4 = ethernet() / ipv4("10.0.0.1", "10.0.0.2");
const auto ip6 = ethernet() / ipv6("fd00::1", "fd00::2");

/// Whether the short way takes a frame; where it does, its record must be that of the long way.
bool is_plain(const craft::Bytes& bytes, std::uint32_t wanted = Need::none, const FrameOptions& options = {}) {
  const Frame frame = frame_of(bytes, options);
  const auto plain = plain_record(frame, wanted);
  if (!plain.empty())
    CHECK(plain == drafted_record(frame, wanted));
  return !plain.empty();
}

} // namespace

TEST_CASE("usual segments and datagrams go the short way, in both directions") {
  for (const auto& [from, to] : {std::pair{80, 1234}, {1234, 80}, {7, 7}}) {
    CHECK(is_plain(ip4 / tcp(from, to).ack(1).psh() / craft::zeros(10)));
    CHECK(is_plain(ip6 / tcp(from, to).ack(1).timestamps(1, 2)));
    CHECK(is_plain(ip4 / udp(from, to) / craft::zeros(10), Need::all & ~Need::ethernet));
    CHECK(is_plain(ip6 / udp(from, to)));
    CHECK(is_plain(ethernet() / ipv4("10.0.0.2", "10.0.0.1") / udp(from, to)));
    CHECK(is_plain(ethernet() / ipv6("fd01::1", "fd00::2") / tcp(from, to)));
    CHECK(is_plain(ethernet() / ipv6("fd00::1", "fd00::1") / tcp(from, to)));
    CHECK(is_plain(ethernet() / ipv4("10.0.0.1", "10.0.0.1") / tcp(from, to)));
  }
}

TEST_CASE("what has blocks to carry goes the long way") {
  const craft::Bytes syn = ip4 / tcp(1, 2).syn().mss(1460);
  CHECK(is_plain(syn));
  CHECK_FALSE(is_plain(syn, Need::tcp_options));
  const craft::Bytes segment = ip6 / tcp(1, 2).ack(1).timestamps(1, 2);
  CHECK(is_plain(segment, Need::tcp_options));
  CHECK_FALSE(is_plain(segment, Need::all_tcp_options));
  CHECK(is_plain(ip4 / tcp(1, 2).ack(1), Need::all & ~Need::ethernet));
  for (const auto& datagram : {ip4 / udp(1, 2), ip6 / udp(1, 2), ip4 / tcp(1, 2), ip6 / tcp(1, 2)}) {
    CHECK_FALSE(is_plain(datagram, Need::ethernet));
    CHECK(is_plain(datagram, Need::vlan_tags | Need::tunnels));
  }
  CHECK(is_plain(ip4 / udp(1, 2), Need::flow_label));
  CHECK_FALSE(is_plain(ip6 / udp(1, 2), Need::flow_label));
  craft::Bytes response = ip4 / udp(53, 1) / craft::zeros(12);
  CHECK(is_plain(response, Need::payload("dns")));
  response[14 + 20 + 8 + 2] = 0x80;
  response[14 + 20 + 8 + 3] = 1;
  CHECK(is_plain(response));
  CHECK_FALSE(is_plain(response, Need::payload("dns")));
}

TEST_CASE("fragments, IP options and headers that were not captured go the long way") {
  const craft::Bytes segment = ip4 / tcp(1, 2).ack(1);
  CHECK_FALSE(is_plain(segment, Need::none, {.snap_length = 14 + 20 + 19}));
  CHECK_FALSE(is_plain(segment, Need::none, {.link = LinkType::raw_ip}));
  craft::Bytes fragment = segment, options = segment, unknown_length = segment;
  fragment[14 + 7] = 1;
  options[14] = 0x46;
  unknown_length[14 + 2] = unknown_length[14 + 3] = 0;
  CHECK_FALSE(is_plain(fragment));
  CHECK_FALSE(is_plain(options));
  CHECK_FALSE(is_plain(unknown_length));
}

TEST_CASE("whichever octets of a frame are altered, both ways give the same record") {
  std::mt19937 random(7);
  const craft::Bytes frames[] = {ip4 / tcp(1, 2).ack(1) / craft::zeros(40), ip6 / tcp(2, 1).syn() / craft::zeros(40),
                                 ip4 / udp(53, 2) / craft::zeros(40), ip6 / udp(2, 53) / craft::zeros(40)};
  bool same = true;
  unsigned plain = 0;
  for (int round = 0; round < 200'000; ++round) {
    craft::Bytes bytes = frames[random() % 4];
    for (unsigned altered = random() % 4; altered != 0; --altered)
      bytes[12 + random() % (bytes.size() - 12)] = static_cast<std::uint8_t>(random() % 3 ? random() : 0);
    const Frame frame = frame_of(bytes, {.snap_length = random() % 3 ? bytes.size() : 14 + random() % 90});
    const std::uint32_t wanted = random() & Need::all;
    if (const auto record = plain_record(frame, wanted); !record.empty()) {
      ++plain;
      same = same && record == drafted_record(frame, wanted);
    }
  }
  CHECK(same);
  CHECK(plain > 50'000);
}
