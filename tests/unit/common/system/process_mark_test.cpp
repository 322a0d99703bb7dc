// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a process still runs: by id and start time, and by heartbeats where neither can be looked up.
#include "common/system/process_mark.hpp"

#include "common/process/session.hpp"
#include "common/stream/ring/wait.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <sched.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr std::uint64_t minute_ns = ProcessMark::longest_silence_ns;

bool is_cleared(const std::string& session) {
  const auto removed = Session::clear_dead();
  return std::ranges::find(removed, session) != removed.end();
}

} // namespace

TEST_CASE("a process runs until it has ended, reaped or not") {
  ProcessMark mark{};
  CHECK_FALSE(mark.lives(0));
  mark.set_self();
  CHECK(mark.lives(0));
  CHECK(mark.lives(1)); // its heartbeat is old, but it is there
  const pid_t child = start_child([] {});
  ProcessMark of_child{};
  of_child.pid = child;
  CHECK(of_child.lives(0));
  kill(child, SIGKILL);
  siginfo_t ended{};
  REQUIRE(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(of_child.lives(0));
  waitpid(child, nullptr, 0);
  CHECK_FALSE(of_child.lives(0));
}

TEST_CASE("an id that was given to another process since is not the process that had it") {
  ProcessMark mark{};
  mark.set_self();
  REQUIRE(mark.started != 0);
  mark.started = mark.started - 1;
  CHECK_FALSE(mark.lives(monotonic_ns()));
}

TEST_CASE("of a process of another pid namespace its heartbeats tell") {
  ProcessMark mark{};
  mark.set_self();
  mark.space = mark.space + 1;
  const std::uint64_t now_ns = monotonic_ns();
  CHECK(mark.lives(now_ns));
  CHECK(mark.lives(now_ns - minute_ns / 2));
  CHECK_FALSE(mark.lives(now_ns > minute_ns ? now_ns - minute_ns - 1'000'000'000 : 0));
}

TEST_CASE("a session of another pid namespace is left alone as long as it gives signs of life") {
  const std::string name = "unit-" + std::to_string(getpid()) + "-space";
  const pid_t parent = fork();
  if (parent == 0) { // whose children are in a namespace of their own
    if (unshare(CLONE_NEWPID) != 0)
      _exit(77);
    const pid_t maker = start_child([&] { static const auto session = Session::create(name); });
    CHECK_FALSE(is_cleared(name));
    kill(maker, SIGKILL);
    waitpid(maker, nullptr, 0);
    _exit(0);
  }
  int status = 0;
  waitpid(parent, &status, 0);
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("skipped: no pid namespace of its own (it takes CAP_SYS_ADMIN)");
    return;
  }
  CHECK_FALSE(is_cleared(name)); // it is gone, but nobody here can know
  {
    const auto session = Session::attach(name);
    session.control().heartbeat_ns = monotonic_ns() > 2 * minute_ns ? monotonic_ns() - 2 * minute_ns : 0;
  }
  CHECK(is_cleared(name));
}
