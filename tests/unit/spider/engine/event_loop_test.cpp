// SPDX-License-Identifier: GPL-3.0-or-later
// The event loop: readiness, timers, and callbacks that change what they stand on.
#include "common/error.hpp"
#include "common/stream/ring/wait.hpp"
#include "spider/connect/socket.hpp"
#include "spider/engine/event_loop.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <vector>

using namespace orbweaver;
using std::chrono::milliseconds;

namespace {

/// Two ends of a stream.
struct Pair {
  Pair() {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    left.reset(ends[0]);
    right.reset(ends[1]);
  }
  void send() const { REQUIRE(::write(right.get(), "x", 1) == 1); }
  FileDescriptor left, right;
};

} // namespace

TEST_CASE("a descriptor that is ready is told with its events, as long as it is watched") {
  EventLoop loop;
  const Pair pair;
  std::vector<std::uint32_t> told;
  loop.watch(pair.left.get(), EPOLLIN, [&](std::uint32_t events) { told.push_back(events); });
  CHECK(loop.run_once(milliseconds(0)) == 0);
  pair.send();
  CHECK(loop.run_once(milliseconds(100)) == 1);
  CHECK(loop.run_once(milliseconds(100)) == 1);
  CHECK(told == std::vector<std::uint32_t>{EPOLLIN, EPOLLIN});
  loop.change(pair.left.get(), EPOLLOUT);
  CHECK(loop.run_once(milliseconds(100)) == 1);
  CHECK(told.back() == EPOLLOUT);
  loop.forget(pair.left.get());
  CHECK(loop.run_once(milliseconds(0)) == 0);
}

TEST_CASE("a callback may forget and close its own descriptor") {
  EventLoop loop;
  Pair pair;
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  loop.watch(pair.left.get(), EPOLLIN, [&loop, &pair, held = std::move(held)](std::uint32_t) {
    loop.forget(pair.left.get());
    pair.left.reset();
    ++*held; // what the callback holds lives until it returns
  });
  pair.send();
  CHECK(loop.run_once(milliseconds(100)) == 1);
  CHECK(watched.expired());
}

TEST_CASE("an event of a descriptor that was closed in the same round does not reach the one that got its number") {
  EventLoop loop;
  Pair first, second;
  const int number = second.left.get();
  FileDescriptor reused;
  std::string called;
  const auto other_end = [&](std::uint32_t) {
    called += 'a';
    loop.forget(first.left.get());
    loop.forget(number);
    second.left.reset();
    reused.reset(fcntl(first.right.get(), F_DUPFD_CLOEXEC, number));
    REQUIRE(reused.get() == number);
    loop.watch(number, EPOLLIN, [&](std::uint32_t) { called += 'b'; });
  };
  // Whichever comes first closes the other.
  loop.watch(first.left.get(), EPOLLIN, other_end);
  loop.watch(number, EPOLLIN, other_end);
  first.send();
  second.send();
  CHECK(loop.run_once(milliseconds(100)) == 1);
  CHECK(called == "a");
}

TEST_CASE("a callback may watch so many descriptors that the table moves") {
  EventLoop loop;
  const Pair pair;
  std::vector<Pair> more;
  int calls = 0;
  loop.watch(pair.left.get(), EPOLLIN, [&](std::uint32_t) {
    ++calls;
    if (more.empty())
      for (int i = 0; i < 200; ++i)
        loop.watch(more.emplace_back().left.get(), EPOLLIN, [](std::uint32_t) {});
  });
  pair.send();
  loop.run_once(milliseconds(100));
  loop.run_once(milliseconds(100));
  CHECK(calls == 2);
}

TEST_CASE("a descriptor that cannot be waited for is an error that says so") {
  EventLoop loop;
  CHECK_THROWS_WITH_AS(loop.watch(99'999, EPOLLIN, [](std::uint32_t) {}), doctest::Contains("99999"), Error);
  CHECK_THROWS_AS(loop.change(99'999, EPOLLIN), Error);
}

TEST_CASE("timers come in the order of their times, and of one time in that of their making") {
  EventLoop loop;
  std::string order;
  const std::uint64_t now = monotonic_ns();
  loop.call_at(now + 2'000'000, [&] { order += 'd'; });
  loop.call_at(now + 1'000'000, [&] { order += 'b'; });
  loop.call_at(now + 1'000'000, [&] { order += 'c'; });
  loop.call_at(now, [&] { order += 'a'; });
  while (order.size() < 4)
    loop.run_once(milliseconds(20));
  CHECK(order == "abcd");
  CHECK(monotonic_ns() - now >= 2'000'000);
}

TEST_CASE("the loop sleeps no longer than until the next timer, and no longer than asked") {
  EventLoop loop;
  const std::uint64_t start = monotonic_ns();
  bool called = false;
  loop.call_at(start + 20'000'000, [&] { called = true; });
  CHECK(loop.run_once(milliseconds(5)) == 0);
  CHECK(monotonic_ns() - start < 20'000'000);
  while (!called)
    loop.run_once(milliseconds(5000));
  CHECK(monotonic_ns() - start < 1'000'000'000);
}

TEST_CASE(
    "a cancelled timer does not come, one that came can be cancelled, and its number is not taken for another's") {
  EventLoop loop;
  int calls = 0;
  const auto cancelled = loop.call_at(0, [&] { calls += 100; });
  loop.cancel(cancelled);
  loop.cancel(cancelled);
  loop.cancel(0);
  const auto due = loop.call_at(0, [&] { ++calls; });
  CHECK(due != cancelled);
  loop.cancel(cancelled);
  CHECK(loop.run_once(milliseconds(0)) == 1);
  loop.cancel(due);
  CHECK(calls == 1);
}

TEST_CASE("a timer that schedules itself for now comes in the next round, so that every round ends") {
  EventLoop loop;
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    loop.call_soon(again);
    loop.call_at(0, [] {});
  };
  loop.call_soon(again);
  CHECK(loop.run_once(milliseconds(0)) == 1);
  CHECK(calls == 1);
  CHECK(loop.run_once(milliseconds(5)) == 2);
}

TEST_CASE("a timer may cancel another that is due in the same round, and itself") {
  EventLoop loop;
  int calls = 0;
  EventLoop::Timer self = 0, other = 0;
  self = loop.call_at(0, [&] {
    ++calls;
    loop.cancel(self);
    loop.cancel(other);
  });
  other = loop.call_at(0, [&] { calls += 100; });
  CHECK(loop.run_once(milliseconds(0)) == 1);
  CHECK(calls == 1);
}

TEST_CASE("of many timers those that are not cancelled come, each once and in order") {
  EventLoop loop;
  std::mt19937 random(7);
  std::vector<EventLoop::Timer> timers;
  std::vector<std::uint64_t> came;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const std::uint64_t time = 1 + random() % 1000;
    timers.push_back(loop.call_at(time, [&came, time] { came.push_back(time); }));
    if (random() % 2 == 0)
      loop.cancel(timers[random() % timers.size()]);
  }
  const std::size_t left = loop.run_once(milliseconds(0));
  CHECK(left == came.size());
  CHECK(came.size() > 2500);
  CHECK(came.size() < 4000);
  CHECK(std::is_sorted(came.begin(), came.end()));
  CHECK(loop.run_once(milliseconds(0)) == 0);
}
