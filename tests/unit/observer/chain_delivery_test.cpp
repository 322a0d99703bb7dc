// SPDX-License-Identifier: GPL-3.0-or-later
// The chain that says which TCP data arrived: delivery.
#include "tests/unit/observer/chain_support.hpp"

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr std::uint32_t ours = 1000, theirs = 9000; // first sequence numbers

Packet syn(std::uint32_t at = ours, Octets options = {TO_MSS, 4, 0x05, 0xb4}) {
  return forward(tcp).flags(TCP_SYN).sequence(at).options(std::move(options));
}
Packet syn_ack(std::uint32_t ack = ours + 1, std::uint32_t at = theirs) {
  return reverse(tcp).flags(TCP_SA).sequence(at).acknowledgement(ack).options({TO_MSS, 4, 0x05, 0x78});
}
Packet request(std::uint32_t octets, std::uint32_t at = ours + 1) {
  return forward(tcp).flags(TCP_ACK).sequence(at).acknowledgement(theirs + 1).payload(octets);
}
Packet answer(std::uint32_t octets, std::uint32_t at = theirs + 1, std::uint32_t ack = ours + 1) {
  return reverse(tcp).flags(TCP_ACK).sequence(at).acknowledgement(ack).payload(octets);
}
Packet ack(std::uint32_t number) {
  return forward(tcp).flags(TCP_ACK).sequence(ours + 1).acknowledgement(number);
}

SeenFlow flow(std::initializer_list<Packet> packets) {
  return flow_of({"delivery"}, packets);
}

} // namespace

TEST_CASE("delivery: the smaller MSS of both SYNs, null where neither has any") {
  CHECK(flow({syn(), syn_ack()})["delivery_mss"] == "1400");
  CHECK(flow({syn()})["delivery_mss"] == "1460");
  CHECK(flow({syn(ours, {TO_NOP})})["delivery_mss"] == "null");
}

TEST_CASE("delivery: a request and its answer, each acknowledged") {
  const auto seen = flow({syn(), syn_ack(), request(300), answer(1400, theirs + 1, ours + 301),
                          answer(80, theirs + 1401, ours + 301), ack(theirs + 1481)});
  CHECK(seen["delivery_largest_fwd"] == "300");
  CHECK(seen["delivery_largest_rev"] == "1400");
  CHECK(seen["delivery_contiguous_fwd"] == "300");
  CHECK(seen["delivery_contiguous_rev"] == "1480");
  CHECK(seen["delivery_acked_fwd"] == "300");
  CHECK(seen["delivery_acked_rev"] == "1480");
  CHECK(seen["delivery_acked_segment_fwd"] == "300");
  CHECK(seen["delivery_acked_segment_rev"] == "1400");
}

TEST_CASE("delivery: what comes behind a gap is no contiguous data, until the gap is filled") {
  const auto gap = flow({syn(), syn_ack(), request(300), answer(80, theirs + 1401, ours + 301)});
  CHECK(gap["delivery_largest_rev"] == "80");
  CHECK(gap["delivery_contiguous_rev"] == "0");
  CHECK(gap["delivery_acked_rev"] == "0");
}

TEST_CASE("delivery: a segment that is sent again, and that nobody acknowledges") {
  const auto lost = flow({syn(), syn_ack(), request(1400), request(1400), answer(0)});
  CHECK(lost["delivery_largest_fwd"] == "1400");
  CHECK(lost["delivery_contiguous_fwd"] == "1400");
  CHECK(lost["delivery_acked_fwd"] == "0");
  CHECK(lost["delivery_acked_segment_fwd"] == "0");
}

TEST_CASE("delivery: a FIN is acknowledged, and no payload") {
  const auto closed = flow({syn(), syn_ack(), request(0).flags(TCP_FIN | TCP_ACK), answer(0, theirs + 1, ours + 2)});
  CHECK(closed["delivery_acked_fwd"] == "0");
}

TEST_CASE("delivery: data on the SYN, and sequence numbers that wrap") {
  const std::uint32_t at = 0xFFFF'FFF0;
  const auto seen =
      flow({syn(at).payload(100), syn_ack(at + 101), request(50, at + 101), answer(10, theirs + 1, at + 151)});
  CHECK(seen["delivery_largest_fwd"] == "100");
  CHECK(seen["delivery_contiguous_fwd"] == "150");
  CHECK(seen["delivery_acked_fwd"] == "150");
  CHECK(seen["delivery_acked_segment_fwd"] == "100");
}

TEST_CASE("delivery: nothing is made of numbers without a SYN, nor of a reset's") {
  const auto middle = flow({request(300), answer(10, theirs + 1, ours + 301)});
  CHECK(middle["delivery_largest_fwd"] == "0");
  CHECK(middle["delivery_acked_fwd"] == "0");
  const auto reset = flow({syn(), syn_ack(), request(300), answer(0, theirs + 1, ours + 301).flags(TCP_RST | TCP_ACK)});
  CHECK(reset["delivery_acked_fwd"] == "0");
}
