// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/join/join.hpp"

#include "tests/unit/merger/join/join_support.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <limits>

using namespace orbweaver;
using namespace orbweaver::test;

TEST_CASE("a connection and its flow join, whichever comes first") {
  for (const bool flow_first : {false, true}) {
    JoinBench bench;
    bench.tick(40);
    if (flow_first)
      bench.add(flow(40000, 1, 2));
    const auto number = bench.add(connection(40000, 0.9, 2.1));
    if (!flow_first) {
      CHECK_FALSE(bench.fates[number].joined);
      CHECK(bench.join.connections_waiting() == 1);
      bench.add(flow(40000, 1, 2));
    }
    CHECK(bench.fates[number].joined);
    CHECK_FALSE(bench.fates[number].reversed);
    CHECK_FALSE(bench.fates[number].lossy);
    CHECK(bench.join.counters().flows_joined == 1);
    CHECK(bench.join.flows_waiting() == 0);
    CHECK(bench.balances());
  }
}

TEST_CASE("another protocol, peer, peer's port or local port is another connection") {
  const auto own = connection(40000, 1, 2);
  auto protocol = own, peer = own, peer_port = own, local_port = own, family = own;
  protocol.protocol = 17;
  peer.destination = address("192.0.2.2");
  peer_port.destination_port = 81;
  local_port.source_port = 40001;
  family.destination = address("c000:201::");
  for (const bool flow_first : {false, true})
    for (const auto& record : {protocol, peer, peer_port, local_port, family}) {
      JoinBench bench;
      if (flow_first)
        bench.add(flow(40000, 1, 2));
      const auto number = bench.add(record);
      if (!flow_first)
        bench.add(flow(40000, 1, 2));
      CHECK_FALSE(bench.fates[number].joined);
    }
}

TEST_CASE("octets behind an IPv4 address are not part of it, and IPv6 joins by all 16") {
  JoinBench bench;
  auto dirty = flow(40000, 1, 2);
  dirty.destination.octets[9] = 99;
  bench.add(dirty);
  CHECK(bench.fates[bench.add(connection(40000, 1, 2))].joined);

  auto six = flow(40000, 1, 2);
  six.source = address("2001:db8::7");
  six.destination = address("2001:db8::1:1");
  auto record = connection(40000, 1, 2);
  record.destination = address("2001:db8::1:2");
  bench.add(six);
  CHECK_FALSE(bench.fates[bench.add(record)].joined);
  record.destination = six.destination;
  CHECK(bench.fates[bench.add(record)].joined);
}

TEST_CASE("a flow whose first packet seen was the answer joins, and says that it is reversed") {
  for (const bool flow_first : {false, true}) {
    JoinBench bench;
    if (flow_first)
      bench.add(turned(flow(40000, 1, 2)));
    const auto number = bench.add(connection(40000, 0.9, 2.1));
    if (!flow_first)
      bench.add(turned(flow(40000, 1, 2)));
    CHECK(bench.fates[number].joined);
    CHECK(bench.fates[number].reversed);
  }
}

TEST_CASE("in server mode the target's address and port join, whatever ours are") {
  for (const bool turn : {false, true})
    for (const bool flow_first : {false, true}) {
      JoinBench bench({.server_mode = true});
      auto incoming = turned(flow(80, 1, 2)); // from the target's port 80 to our port 80
      incoming.source_port = 5555;
      auto record = connection(8080, 1, 2);
      record.source = address(target);
      record.source_port = 5555;
      record.destination = address("0.0.0.0"); // not known to the spider, and not asked for
      record.destination_port = 0;
      if (turn)
        incoming = turned(incoming);
      if (flow_first)
        bench.add(incoming);
      const auto number = bench.add(record);
      if (!flow_first)
        bench.add(incoming);
      CHECK(bench.fates[number].joined);
      CHECK(bench.fates[number].reversed == turn);
    }
}

TEST_CASE("a port that is used twice joins twice, each connection with its own flow, in any order") {
  for (unsigned order = 0; order < 24; ++order) {
    JoinBench bench;
    bool done[4]{};
    auto rest = order;
    for (unsigned left = 4; left > 0; --left) {
      auto nth = rest % left;
      rest /= left;
      unsigned step = 0;
      while (done[step] || nth-- > 0)
        ++step;
      done[step] = true;
      if (step == 0)
        bench.add(flow(40000, 1, 2));
      else if (step == 1)
        bench.add(flow(40000, 5, 6));
      else
        bench.add(step == 2 ? connection(40000, 0.999, 2.001) : connection(40000, 4.999, 6.001));
    }
    REQUIRE(bench.fates.size() == 2);
    CHECK(bench.fates[0].joined);
    CHECK(bench.fates[1].joined);
    CHECK(bench.fates[0].first + bench.fates[1].first == 6);
    CHECK(bench.join.counters().flows_joined == 2);
  }
}

TEST_CASE("one flow serves two connections on one five-tuple") {
  SUBCASE("both known before") {
    JoinBench bench;
    bench.add(connection(40000, 1, 2));
    bench.add(connection(40000, 3, 4));
    bench.add(flow(40000, 1, 4));
    CHECK(bench.fates[0].joined);
    CHECK(bench.fates[1].joined);
    CHECK(bench.join.counters().flows_joined == 1);
    CHECK(bench.balances());
  }
  SUBCASE("one before, one after") {
    JoinBench bench;
    bench.add(connection(40000, 1, 2));
    bench.add(flow(40000, 1, 4));
    bench.add(connection(40000, 3, 4));
    CHECK(bench.fates[1].joined);
    CHECK(bench.join.counters().flows_joined == 1);
  }
}

TEST_CASE("a connection that ended a moment late does not take the flow of the next one on its port") {
  // The first one timed out without an answer, so that its flow comes later than that of the second.
  JoinBench bench;
  bench.add(connection(40000, 0, 5.0001));
  bench.add(connection(40000, 5.00005, 5.2));
  bench.add(flow(40000, 5.00006, 5.1));
  CHECK_FALSE(bench.fates[0].joined);
  CHECK(bench.fates[1].joined);
  bench.add(flow(40000, 0.0001, 3));
  CHECK(bench.fates[0].joined);
  CHECK(bench.fates[0].first == doctest::Approx(0.0001));

  JoinBench late; // the same where the second one is done before the first one is known
  late.add(connection(40000, 5.00005, 5.2));
  late.add(flow(40000, 5.00006, 5.1));
  late.add(connection(40000, 0, 5.0001));
  CHECK_FALSE(late.fates[1].joined);
  late.add(flow(40000, 0.0001, 3));
  CHECK(late.fates[1].joined);
}

TEST_CASE("clocks may differ by the slack and not by more; a flow that has a connection is left alone") {
  for (const bool flow_first : {false, true})
    for (const double away : {0.9, 1.1, -0.9, -1.1}) {
      JoinBench bench;
      if (flow_first)
        bench.add(flow(40000, 10, 10));
      const auto record = connection(40000, away > 0 ? 10 + away : 8, away > 0 ? 12 : 10 + away);
      const auto number = bench.add(record);
      if (!flow_first)
        bench.add(flow(40000, 10, 10));
      CHECK(bench.fates[number].joined == (away < 1 && away > -1));
    }
  JoinBench bench;
  bench.add(flow(40000, 1, 2));
  bench.add(connection(40000, 1, 2));
  CHECK_FALSE(bench.fates[bench.add(connection(40000, 2.5, 3))].joined);
}

TEST_CASE("within the slack the nearest one joins") {
  JoinBench bench;
  bench.add(connection(40000, 9, 9.5));
  bench.add(connection(40000, 9.6, 9.9));
  bench.add(flow(40000, 10, 10.1));
  CHECK_FALSE(bench.fates[0].joined);
  CHECK(bench.fates[1].joined);

  JoinBench other;
  other.add(flow(40000, 9, 9.5));
  other.add(flow(40000, 9.6, 9.9));
  other.add(connection(40000, 10, 10.1));
  CHECK(other.fates[0].first == doctest::Approx(9.6));
}

TEST_CASE("a connection without a port is missed at once for that reason") {
  JoinBench bench;
  auto record = connection(-1, 1, 2);
  record.source = {};
  const auto number = bench.add(record);
  CHECK(bench.fates[number].missed);
  CHECK(bench.fates[number].cause == MissedCause::no_port);
  CHECK(bench.balances());
}

TEST_CASE("what the system refused is missed at once as not sent, with a port or without") {
  JoinBench bench;
  auto refused = connection(40000, 1, 2), unbound = connection(-1, 1, 2);
  refused.error = unbound.error = EADDRNOTAVAIL;
  refused.never_left = 1;
  for (const auto& record : {refused, unbound}) {
    const auto number = bench.add(record);
    CHECK(bench.fates[number].missed);
    CHECK(bench.fates[number].cause == MissedCause::not_sent);
  }
  CHECK(bench.balances());
}

TEST_CASE("a socket that failed is waited for like any other, and where nothing came of it, nothing was sent") {
  JoinBench bench;
  auto record = connection(40000, 1, 2);
  record.error = EHOSTUNREACH;
  const auto answered = bench.add(record);
  CHECK_FALSE(bench.fates[answered].missed);
  bench.add(flow(40000, 1.1, 1.2));
  CHECK(bench.fates[answered].joined);
  auto silent = connection(40001, 1, 2);
  silent.error = EHOSTUNREACH;
  const auto unseen = bench.add(silent);
  CHECK_FALSE(bench.fates[unseen].missed);
  bench.join.finish();
  CHECK(bench.fates[unseen].cause == MissedCause::not_sent);
  CHECK(bench.balances());
}

TEST_CASE("a connection is missed when the slowest packet clock has passed it by the stated time, and not before") {
  JoinBench bench({.missed_after_s = 60}, 2);
  const auto number = bench.add(connection(40000, 9, 10.5));
  bench.tick(1000, 0);
  bench.tick(70, 1);
  CHECK_FALSE(bench.fates[number].missed); // given up at 11 + 60
  bench.tick(71, 1);
  CHECK(bench.fates[number].missed);
  CHECK(bench.fates[number].cause == MissedCause::never_seen);
  CHECK(bench.balances());
}

TEST_CASE("a stream that has ended holds up nothing, and without streams nothing is waited for") {
  JoinBench bench({}, 2);
  const auto number = bench.add(connection(40000, 9, 10));
  bench.tick(1000, 0);
  CHECK_FALSE(bench.fates[number].missed);
  bench.join.stream_ended(1, true);
  bench.join.advance();
  CHECK(bench.fates[number].missed);

  JoinBench none({}, 0);
  CHECK(none.fates[none.add(connection(40000, 9, 10))].missed);
}

TEST_CASE("a connection that comes when its time is over still finds its flow, or is missed at once") {
  JoinBench bench;
  bench.jobs_at(0);
  bench.tick(10);
  bench.add(flow(40000, 1, 2));
  bench.tick(500);
  CHECK(bench.fates[bench.add(connection(40000, 1, 2))].joined); // the job stream had not come as far
  CHECK(bench.fates[bench.add(connection(40001, 1, 2))].missed);
}

TEST_CASE("an unclaimed flow leaves after the stated time, but not before the jobs have come as far") {
  JoinBench bench({.missed_after_s = 60});
  bench.tick(40);
  bench.add(flow(40000, 1, 2));
  bench.jobs_at(99);
  bench.tick(1000);
  CHECK(bench.join.flows_waiting() == 1);
  bench.jobs_at(100);
  bench.join.advance();
  CHECK(bench.join.flows_waiting() == 0);
  CHECK(bench.join.counters().flows_unclaimed == 1);

  JoinBench live({.missed_after_s = 60});
  live.tick(40);
  live.add(flow(40000, 1, 2));
  live.join.jobs_at(Join::never);
  live.tick(99);
  CHECK(live.join.flows_waiting() == 1);
  live.tick(100);
  CHECK(live.join.flows_waiting() == 0);
}

TEST_CASE("a connection whose flow had left is missed as expired, from either end, and another time is not meant") {
  for (const bool turn : {false, true}) {
    JoinBench bench;
    bench.join.jobs_at(Join::never);
    bench.tick(40);
    bench.add(turn ? turned(flow(40000, 1, 2)) : flow(40000, 1, 2));
    bench.tick(1000);
    CHECK(bench.join.counters().flows_unclaimed == 1);
    CHECK(bench.fates[bench.add(connection(40000, 1, 2))].cause == MissedCause::expired);
    CHECK(bench.fates[bench.add(connection(40000, 10, 20))].cause == MissedCause::never_seen);
    CHECK(bench.fates[bench.add(connection(40001, 1, 2))].cause == MissedCause::never_seen);
  }
}

TEST_CASE("a loss explains connections of its time, and makes flows of its time uncertain") {
  JoinBench bench({}, 2);
  bench.join.lost(1, at_ns(9), at_ns(12));
  bench.tick(100, 0);
  bench.tick(100, 1);
  CHECK(bench.fates[bench.add(connection(40000, 11, 11.5))].cause == MissedCause::ring_drop);
  CHECK(bench.fates[bench.add(connection(40000, 2, 9.1))].cause == MissedCause::ring_drop);
  CHECK(bench.fates[bench.add(connection(40000, 2, 7.9))].cause == MissedCause::never_seen);
  CHECK(bench.fates[bench.add(connection(40000, 13.1, 14))].cause == MissedCause::never_seen);

  bench.add(flow(41000, 11, 11.2), 1);
  bench.add(flow(41001, 11, 11.2), 0);
  CHECK(bench.fates[bench.add(connection(41000, 11, 11.5))].lossy);
  CHECK_FALSE(bench.fates[bench.add(connection(41001, 11, 11.5))].lossy); // the other observer saw everything
  CHECK(bench.balances());
}

TEST_CASE("a loss of a moment makes only what was under way in that moment uncertain") {
  JoinBench bench;
  bench.join.lost(0, at_ns(10.2), at_ns(10.3));
  auto lossy = [&, port = 40000](double start, double first, double last, double stop) mutable {
    bench.add(flow(++port, first, last));
    return bench.fates[bench.add(connection(port, start, stop))].lossy;
  };
  CHECK_FALSE(lossy(10, 10.0001, 10.1, 10.19));
  CHECK(lossy(10, 10.0001, 10.1, 10.2));
  CHECK(lossy(10.3, 10.3001, 10.4, 10.5));
  CHECK_FALSE(lossy(10.31, 10.3101, 10.4, 10.5));
  // Its first packets may be among those that were lost, also where the packets' clock is behind that of connections.
  CHECK(lossy(10.25, 10.31, 10.4, 10.5));
  CHECK(lossy(10.65, 10.31, 10.4, 10.8));
}

TEST_CASE("where who watched is gone, what has no flow was not seen, rather than never there") {
  for (const bool whole : {true, false}) {
    JoinBench bench;
    bench.tick(40);
    const auto waits = bench.add(connection(40000, 39, 40));
    bench.join.stream_ended(0, whole);
    bench.join.advance();
    const auto later = bench.add(connection(40001, 41, 42));
    for (const auto number : {waits, later}) {
      REQUIRE(bench.fates[number].missed);
      CHECK(bench.fates[number].cause == (whole ? MissedCause::never_seen : MissedCause::ring_drop));
    }
  }
}

TEST_CASE("an answer that may still come makes a later loss count") {
  for (const std::uint64_t answer_ns : {0ULL, 2'000'000'000ULL}) {
    JoinBench bench({.answer_ns = answer_ns});
    bench.join.lost(0, at_ns(11), std::numeric_limits<std::uint64_t>::max());
    bench.add(flow(40000, 10, 10));
    CHECK(bench.fates[bench.add(connection(40000, 10, 10))].lossy == (answer_ns > 0));
  }
}

TEST_CASE("where the clocks were set, what waited is uncertain, and what comes after joins by the new times") {
  JoinBench bench;
  bench.tick(5000);
  const auto before = bench.add(connection(40000, 4999, 5000));
  bench.join.moved(0, 4000 * 1'000'000'000ull); // back by 4000 s
  CHECK(bench.fates[before].missed);
  CHECK(bench.fates[before].cause == MissedCause::ring_drop);
  const auto after = bench.add(connection(40001, 1200, 1201));
  bench.tick(5201); // of the packet clock: 1201
  CHECK_FALSE(bench.fates[after].joined);
  CHECK_FALSE(bench.fates[after].missed);
  bench.add(flow(40001, 1200, 1201));
  CHECK(bench.fates[after].joined);
  CHECK_FALSE(bench.fates[after].lossy);
  CHECK(bench.balances());
}

TEST_CASE("losses that touch are one, and very many melt into long ones") {
  constexpr std::uint64_t s = 1'000'000'000;
  LossTimes losses;
  CHECK_FALSE(losses.any_between(0, Join::never));
  losses.add(100 * s, 101 * s);
  losses.add(99 * s, 100 * s); // of another cause, and told later
  losses.add(101 * s, 102 * s);
  CHECK(losses.any_between(90 * s, 99 * s));
  CHECK(losses.any_between(102 * s, 500 * s));
  CHECK_FALSE(losses.any_between(96 * s, 99 * s - 1));
  CHECK_FALSE(losses.any_between(102 * s + 1, 103 * s));
  for (std::uint64_t second = 200; second < 200 + 10 * 2 * LossTimes::max_spans; second += 10)
    losses.add(second * s, (second + 1) * s);
  CHECK(losses.any_between(99 * s, 99 * s));
  CHECK(losses.any_between(205 * s, 206 * s));
  const auto late_s = 200 + 10 * (2 * LossTimes::max_spans - 2);
  CHECK_FALSE(losses.any_between((late_s + 5) * s, (late_s + 6) * s));
  CHECK(losses.any_between(late_s * s, late_s * s));
}

TEST_CASE("flows without ports, and of protocols that no connection has, are unclaimed at once") {
  JoinBench bench;
  auto icmp = flow(-1, 1, 2, 1);
  icmp.destination_port = -1;
  bench.add(icmp);
  bench.add(flow(40000, 1, 2, 132));
  CHECK(bench.join.counters().flows_unclaimed == 2);
  CHECK(bench.join.flows_waiting() == 0);
}

TEST_CASE("a job that is given up takes its connection along as expired") {
  JoinBench bench;
  const auto record = connection(40000, 1, 2);
  const auto number = bench.add(record);
  const auto other = bench.add(record);
  bench.join.give_up({7, static_cast<std::uint32_t>(number)}, key_of(record, false));
  CHECK(bench.fates[number].cause == MissedCause::expired);
  CHECK(bench.fates[number].missed);
  CHECK_FALSE(bench.fates[other].missed);
  bench.join.give_up({7, static_cast<std::uint32_t>(number)}, key_of(record, false));
  CHECK(bench.balances());
}

TEST_CASE("at the end everybody is decided") {
  JoinBench bench;
  bench.add(connection(40000, 1, 2));
  bench.add(flow(40001, 1, 2));
  bench.join.finish();
  CHECK(bench.fates[0].missed);
  CHECK(bench.join.counters().flows_unclaimed == 1);
  CHECK(bench.join.connections_waiting() == 0);
  CHECK(bench.balances());
}

TEST_CASE("times at the ends of what 64 bits hold do no harm") {
  JoinBench bench;
  auto record = connection(40000, 1, 2);
  record.stop_ns = Join::never;
  bench.add(record);
  record.start_ns = Join::never;
  record.stop_ns = 0;
  bench.add(record);
  auto odd = flow(40000, 1, 2);
  odd.first_ns = Join::never;
  odd.last_ns = 0;
  bench.add(odd);
  bench.join.tick(0, Join::never);
  bench.join.advance();
  bench.join.finish();
  CHECK(bench.balances());
}

TEST_CASE("10 million unclaimed flows, all alike to the target's end, take bounded memory") {
  JoinBench bench({.server_mode = true, .max_flows = 1 << 14});
  auto unclaimed = turned(flow(80, 1, 2));
  bench.tick(40);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < 10'000'000; ++i) {
    std::memcpy(unclaimed.source.octets, &i, sizeof i);
    bench.add(unclaimed);
  }
  const auto took = std::chrono::steady_clock::now() - begin;
  CHECK(bench.join.flows_waiting() == 1 << 14);
  CHECK(bench.join.counters().flows_unclaimed == 10'000'000 - (1 << 14));
  CHECK(bench.join.memory_bytes() < 4 << 20);
  MESSAGE("10 million unclaimed flows: " << std::chrono::duration<double>(took).count() << " s");
}

TEST_CASE("memory follows the flows that wait, not those that came") {
  JoinBench bench;
  bench.join.jobs_at(Join::never);
  std::uint64_t most = 0;
  for (std::uint32_t second = 0; second < 300; ++second) {
    bench.tick(second);
    for (std::uint32_t i = 0; i < 5000; ++i)
      bench.add(flow(static_cast<std::int32_t>(1024 + (second * 5000 + i) % 60'000), second, second));
    most = std::max(most, bench.join.memory_bytes());
  }
  CHECK(bench.join.flows_waiting() == 60 * 5000);
  CHECK(most < std::uint64_t{300'000} * 2 * sizeof(FlowRecord));
}

TEST_CASE("what a flow has of variable length comes whole to its connection, and is bounded in all") {
  JoinBench bench({.max_tail_octets = 10'000});
  const auto first = bench.add(connection(40000, 1, 2));
  bench.add(flow(40000, 1, 2), "www.example.org");
  CHECK(bench.fates[first].tail == "www.example.org");
  const auto fixed = bench.join.memory_bytes();
  for (int i = 0; i < 100; ++i)
    bench.add(flow(41000 + i, 3, 4), std::string(1000, static_cast<char>('a' + i % 26)));
  CHECK(bench.join.memory_bytes() <= fixed + 10'000);
  CHECK(bench.join.flows_waiting() == 10); // those that came last
  const auto last = bench.add(connection(41099, 3, 4)), gone = bench.add(connection(41000, 3, 4));
  CHECK(bench.fates[last].tail == std::string(1000, 'a' + 99 % 26));
  CHECK_FALSE(bench.fates[gone].joined);
  bench.add(flow(42000, 5, 6), std::string(20'000, 'z')); // more than all should have: by itself
  const auto alone = bench.add(connection(42000, 5, 6));
  CHECK(bench.fates[alone].tail.size() == 20'000);
  bench.join.finish();
  CHECK(bench.balances());
}
