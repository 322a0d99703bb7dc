// SPDX-License-Identifier: GPL-3.0-or-later
// Changes of the system, made in a network namespace of this program's own, and put back whoever is killed when.
#include "common/error.hpp"
#include "common/process/session.hpp"
#include "common/system/net_namespace.hpp"
#include "common/system/state_folder.hpp"
#include "common/system/system_state.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fstream>
#include <random>
#include <sched.h>
#include <string>
#include <thread>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr const char* ecn = "net.ipv4.tcp_ecn";
constexpr const char* sack = "net.ipv4.tcp_sack";

/// Moves this process, whose other tests need no network, to a namespace of its own; false, with the reason shown,
/// where that is not permitted.
bool own_namespace() {
  static const bool done = unshare(CLONE_NEWNET) == 0;
  if (!done)
    MESSAGE("skipped: no network namespace of its own (it takes CAP_SYS_ADMIN)");
  return done;
}

std::string sysctl(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  std::string value = read_file("/proc/sys/" + name);
  return value.substr(0, value.find('\n'));
}

std::string session_name(const std::string& test) {
  return "unit-" + std::to_string(getpid()) + "-" + test;
}

std::string journal(const std::string& session) {
  return make_state_folder().path + "/" + session + ".state";
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

bool mentions(const std::vector<std::string>& sentences, const std::string& text) {
  return std::any_of(sentences.begin(), sentences.end(), [&](const auto& s) { return s.find(text) != s.npos; });
}

} // namespace

TEST_CASE("sysctls are changed as often as wanted, and at the end all is as it was") {
  if (!own_namespace())
    return;
  const std::string before_ecn = sysctl(ecn), before_sack = sysctl(sack), name = session_name("life");
  {
    SystemState state(name);
    for (const char* const value : {"1", "0", "1"}) {
      state.set_sysctl(ecn, value);
      CHECK(sysctl(ecn) == value);
    }
    state.set_sysctl(sack, "0");
    CHECK(exists(journal(name)));
    CHECK(state.restore().empty());
    CHECK(sysctl(ecn) == before_ecn);
    CHECK(sysctl(sack) == before_sack);
    CHECK_FALSE(exists(journal(name)));
    CHECK(state.restore().empty());
  }
  CHECK(restore_system_state(name).empty());
}

TEST_CASE(
    "what somebody else sets meanwhile is set again with the next configuration, and put back to what was before") {
  if (!own_namespace())
    return;
  const std::string before = sysctl(ecn);
  {
    SystemState state(session_name("somebody"));
    state.set_sysctl(ecn, "1");
    std::ofstream("/proc/sys/net/ipv4/tcp_ecn") << 0;
    state.set_sysctl(ecn, "1");
    CHECK(sysctl(ecn) == "1");
  }
  CHECK(sysctl(ecn) == before);
}

TEST_CASE("killed at any time, a spider leaves what restore puts back") {
  if (!own_namespace())
    return;
  const std::string before = sysctl(ecn), before_sack = sysctl(sack);
  std::mt19937 random(11);
  for (int round = 0; round < 30; ++round) {
    const std::string name = session_name("kill" + std::to_string(round));
    const pid_t child = fork();
    if (child == 0) {
      SystemState state(name);
      for (int i = 0;; ++i) {
        state.set_sysctl(ecn, std::to_string(i % 2));
        state.set_sysctl(sack, std::to_string(i % 2));
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    kill_child(child);
    const auto said = restore_system_state(name);
    CHECK_FALSE(mentions(said, "cannot"));
    CHECK_FALSE(mentions(said, "holds"));
    CHECK(sysctl(ecn) == before);
    CHECK(sysctl(sack) == before_sack);
    CHECK_FALSE(exists(journal(name)));
  }
}

TEST_CASE("two sessions in one network namespace are refused by name; what a dead one left is put back first") {
  if (!own_namespace())
    return;
  const std::string before = sysctl(ecn), theirs = session_name("theirs"), ours = session_name("ours");
  const pid_t child = start_child([&] {
    static SystemState state(theirs);
    state.set_sysctl(ecn, "1");
  });
  CHECK_THROWS_WITH_AS(SystemState state(ours), doctest::Contains(theirs.c_str()), Error);
  CHECK_FALSE(exists(journal(ours)));
  CHECK(sysctl(ecn) == "1");
  kill_child(child);
  {
    SystemState state(ours);
    CHECK(sysctl(ecn) == before);
    CHECK_FALSE(exists(journal(theirs)));
  }
}

TEST_CASE("what was left in another namespace stays as long as that exists, and is named") {
  if (!own_namespace())
    return;
  const std::string name = session_name("elsewhere"), ours = session_name("here");
  const pid_t child = start_child([&] {
    if (unshare(CLONE_NEWNET) != 0)
      _exit(1);
    static SystemState state(name);
    state.set_sysctl(ecn, "1");
  });
  CHECK_NOTHROW(SystemState{ours}); // at the same time, elsewhere
  // Somebody else in that namespace.
  const std::string inside = "/proc/" + std::to_string(child) + "/ns/net";
  const pid_t other = start_child([&] {
    const int fd = open(inside.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
      _exit(1);
    close(fd);
  });
  kill_child(child);
  const std::string before = sysctl(ecn);
  CHECK(mentions(restore_dead_system_states(), name));
  CHECK(exists(journal(name)));
  CHECK(sysctl(ecn) == before);
  kill_child(other);
  // The kernel takes the namespace away a moment after its last process.
  for (int i = 0; i < 200 && exists(journal(name)); ++i) {
    restore_dead_system_states();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK_FALSE(exists(journal(name)));
  CHECK(sysctl(ecn) == before);
}

TEST_CASE("a journal line that was cut off, or a journal without a namespace, changes nothing") {
  if (!own_namespace())
    return;
  const std::string before = sysctl(ecn), name = session_name("cut");
  const NetNamespace here = NetNamespace::current();
  const std::string space = "namespace " + std::to_string(here.inode) + " " + std::to_string(here.cookie) + "\n";
  const std::string other = before == "0" ? "1" : "0";
  for (const std::string& text : {space + "sysctl net.ipv4.tcp_ecn " + other, space.substr(0, 12), std::string()}) {
    write_own_file(journal(name), text);
    CHECK_FALSE(mentions(restore_system_state(name), "cannot"));
    CHECK(sysctl(ecn) == before);
    CHECK_FALSE(exists(journal(name)));
  }
  write_own_file(journal(name), space + "sysctl net.ipv4.tcp_ecn " + other + "\n");
  CHECK(mentions(restore_system_state(name), "set net.ipv4.tcp_ecn back to " + other));
  CHECK(sysctl(ecn) == other);
  std::ofstream("/proc/sys/net/ipv4/tcp_ecn") << before;
}

TEST_CASE("a namespace that has this one's inode and another cookie is gone") {
  NetNamespace space = NetNamespace::current();
  CHECK(space.inode != 0);
  CHECK(space.exists());
  if (space.cookie != 0) {
    space.cookie += 1'000'000;
    CHECK_FALSE(space.exists());
  }
}

TEST_CASE("what cannot be changed is said before anything is, with what to do") {
  if (!own_namespace())
    return;
  CHECK_NOTHROW(SystemState::check_rights({ecn, sack}));
  CHECK_THROWS_WITH_AS(SystemState::check_rights({"kernel.hostname"}),
                       doctest::Contains("cannot set kernel.hostname: it is not one of those that Orbweaver changes"),
                       Error);
  const std::string name = session_name("errors");
  {
    SystemState state(name);
    CHECK_THROWS_WITH_AS(state.set_sysctl("net.ipv4.ip_forward", "1"), doctest::Contains("is not one of those"), Error);
    for (const char* const value : {"nonsense", "-1", "256", "1 2", "", "1\n"})
      CHECK_THROWS_WITH_AS(state.set_sysctl(ecn, value), doctest::Contains("a whole number from 0 to 255"), Error);
    CHECK_THROWS_WITH_AS(state.set_sysctl(ecn, "200"), doctest::Contains("Invalid argument"), Error);
  }
  CHECK_FALSE(exists(journal(name)));
}

TEST_CASE("a session that is removed, or cleared because it died, leaves the journal of its changes") {
  const std::string name = session_name("journal");
  const pid_t child = start_child([&] { static const auto session = Session::create(name); });
  write_own_file(journal(name), "namespace 1 1\n");
  kill_child(child);
  Session::clear_dead();
  CHECK_FALSE(Segment::exists(std::string(segment_prefix) + name + ".control"));
  CHECK(exists(journal(name)));
  Session::clear_dead();
  Session::remove(name);
  CHECK(exists(journal(name)));
  unlink(journal(name).c_str());
}
