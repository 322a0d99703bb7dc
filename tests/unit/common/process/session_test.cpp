// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/session.hpp"

#include "common/error.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

std::string name_of(const std::string& test) {
  return "unit-" + std::to_string(getpid()) + "-" + test;
}

std::string segment(const std::string& session, const std::string& part) {
  return std::string(segment_prefix) + session + "." + part;
}

bool has(const std::vector<std::string>& list, const std::string& entry) {
  return std::find(list.begin(), list.end(), entry) != list.end();
}

/// A child that makes a session with a ring in it; to be killed.
pid_t start_session(const std::string& name) {
  return start_child([&] {
    static const auto session = Session::create(name);
    static const auto ring = Ring::create(std::string(segment_prefix) + session.ring_name("flows", 0), 4096);
  });
}

} // namespace

TEST_CASE("a session is made, found by its name, attached, and removed with its rings") {
  const auto name = name_of("life");
  auto session = Session::create(name);
  const auto ring = Ring::create(std::string(segment_prefix) + session.ring_name("packets", 3), 4096);
  CHECK(session.ring_name("packets", 3) == name + ".packets.3");
  CHECK(session.name() == name);
  CHECK(has(Session::names(), name));
  const auto other = Session::attach(name, false);
  CHECK(std::string(other.control().name.data()) == name);
  CHECK(other.control().creator.pid == getpid());
  Session::remove(name);
  CHECK_FALSE(has(Session::names(), name));
  CHECK(Segment::list(std::string(segment_prefix) + name).empty());
}

TEST_CASE("segments are for their owner alone") {
  const auto name = name_of("mode");
  const auto session = Session::create(name);
  struct stat status {};
  REQUIRE(stat(("/dev/shm/" + segment(name, "control")).c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  Session::remove(name);
}

TEST_CASE("counters of a stage are read by others while it works") {
  const auto name = name_of("counters");
  auto session = Session::create(name);
  CHECK(session.stages().empty());
  auto& capture = session.add_stage(StageKind::capture, 0);
  auto& observer = session.add_stage(StageKind::observer, 7);
  capture.publish(std::array<std::uint64_t, 2>{5, 6}, 1);
  observer.publish(std::array<std::uint64_t, 3>{1, 2, 3}, 99);
  const auto watcher = Session::attach(name, false);
  REQUIRE(watcher.stages().size() == 2);
  CHECK(watcher.stages()[0].counter(1) == 6);
  CHECK(watcher.stages()[1].kind == StageKind::observer);
  CHECK(watcher.stages()[1].index == 7);
  CHECK(watcher.stages()[1].counter(2) == 3);
  CHECK(watcher.stages()[1].heartbeat_ns == 99);
  CHECK(watcher.stages()[1].state == StageState::absent);
  Session::remove(name);
}

TEST_CASE("messages of a stage are read by others while it works") {
  const auto name = name_of("messages");
  auto session = Session::create(name);
  session.add_stage(StageKind::capture, 0);
  session.add_stage(StageKind::spider, 0).messages.add(MessageLevel::warning, "line 1: bad", 7);
  const auto watcher = Session::attach(name, false);
  CHECK(watcher.stages()[0].messages.read().empty());
  const auto messages = watcher.stages()[1].messages.read();
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].text == "line 1: bad");
  CHECK(messages[0].first_ns == 7);
  Session::remove(name);
}

TEST_CASE("a session has places for every observer and the other stages, and no more") {
  const auto name = name_of("places");
  auto session = Session::create(name);
  for (std::uint32_t i = 0; i < max_stages; ++i)
    session.add_stage(StageKind::observer, i);
  CHECK_THROWS_AS(session.add_stage(StageKind::observer, 0), Error);
  CHECK(session.stages().size() == max_stages);
  Session::remove(name);
}

TEST_CASE("names that are taken or not fit are refused") {
  const auto name = name_of("taken");
  const auto session = Session::create(name);
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::create(name)), doctest::Contains("runs already"), UsageError);
  for (const auto& bad : {std::string("a.b"), std::string("a/b"), std::string("a b"), std::string(49, 'x')})
    CHECK_THROWS_WITH_AS(static_cast<void>(Session::create(bad)), doctest::Contains("letters, digits"), UsageError);
  Session::remove(name);
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains("no session"), Error);
}

TEST_CASE("a session without a name is named by its prefix and process") {
  const auto session = Session::create({}, "unit-prefix");
  CHECK(session.name() == "unit-prefix-" + std::to_string(getpid()));
  Session::remove(session.name());
}

TEST_CASE("a control segment of another version, or an incomplete one, is not attached") {
  const auto name = name_of("version");
  const auto session = Session::create(name);
  session.control().version = 77;
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains("another version"), Error);
  session.control().magic = 0;
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains("not complete"), Error);
  Session::remove(name);
  const auto small = Segment::create(segment(name, "control"), 64);
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains("not complete"), Error);
  Segment::remove(segment(name, "control"));
}

TEST_CASE("what a killed session left is cleared by the next start, and a living one is left alone") {
  const auto dead = name_of("dead"), alive = name_of("alive");
  const auto killed = start_session(dead);
  const auto running = start_session(alive);
  REQUIRE(Segment::exists(segment(dead, "flows.0")));
  kill_child(killed);
  const auto next = Session::create(name_of("next"));
  CHECK_FALSE(Segment::exists(segment(dead, "control")));
  CHECK_FALSE(Segment::exists(segment(dead, "flows.0")));
  CHECK(Segment::exists(segment(alive, "control")));
  CHECK(Segment::exists(segment(alive, "flows.0")));
  kill_child(running);
  CHECK(has(Session::clear_dead(), alive));
  CHECK(Segment::list(std::string(segment_prefix) + alive).empty());
  Session::remove(next.name());
}

TEST_CASE("a session whose maker was killed lives as long as a stage of it runs") {
  const auto name = name_of("stage");
  const auto maker = start_child([&] {
    static auto session = Session::create(name);
    auto& stage = session.add_stage(StageKind::capture, 0);
    stage.process.pid = getppid();
    stage.state = StageState::running;
  });
  kill_child(maker);
  CHECK_FALSE(has(Session::clear_dead(), name));
  Session::attach(name).stages()[0].state = StageState::finished;
  CHECK(has(Session::clear_dead(), name));
}

TEST_CASE("a control segment whose maker was killed before it said who it is goes by its age") {
  namespace fs = std::filesystem;
  for (const std::size_t octets : {std::size_t{0}, sizeof(ControlBlock)}) {
    const std::string name = name_of("nameless");
    const fs::path file = fs::path("/dev/shm") / segment(name, "control");
    write_own_file(file, std::string(octets, '\0'));
    CHECK_FALSE(has(Session::clear_dead(), name)); // it may be in the making
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::minutes(2));
    CHECK(has(Session::clear_dead(), name));
    CHECK_FALSE(fs::exists(file));
  }
}

TEST_CASE("a ring of no session goes when none of its processes is there") {
  const auto endpoint = ring_endpoint("alone");
  const auto child =
      start_child([&] { static const auto ring = Ring::create(endpoint.segment_name(), min_ring_bytes); });
  CHECK_FALSE(has(Session::clear_dead(), endpoint.name));
  kill_child(child);
  CHECK(has(Session::clear_dead(), endpoint.name));
  CHECK_FALSE(Segment::exists(endpoint.segment_name()));
}

TEST_CASE("a ring whose maker was killed before it said who it is goes by its age, and at once where it said so") {
  namespace fs = std::filesystem;
  const auto endpoint = ring_endpoint("nameless");
  const fs::path file = fs::path("/dev/shm") / endpoint.segment_name();
  for (const std::size_t octets : {std::size_t{0}, sizeof(RingHeader), sizeof(RingHeader) + (std::size_t{1} << 20)}) {
    write_own_file(file, std::string(octets, '\0'));
    CHECK_FALSE(has(Session::clear_dead(), endpoint.name)); // it may be in the making
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::minutes(2));
    CHECK(has(Session::clear_dead(), endpoint.name));
    CHECK_FALSE(fs::exists(file));
  }
  const auto child = start_child([&] {
    static const auto ring = Ring::create(endpoint.segment_name(), min_ring_bytes);
    ring.header().magic = 0;
  });
  CHECK_FALSE(has(Session::clear_dead(), endpoint.name));
  kill_child(child);
  CHECK(has(Session::clear_dead(), endpoint.name));
  CHECK_FALSE(fs::exists(file));
}

TEST_CASE("a control segment that is short, grows or shrinks while sessions are cleared ends nobody") {
  const std::string name = name_of("shrinks"), file = "/dev/shm/" + segment(name, "control");
  {
    const auto session = Session::create(name);
    session.control().creator.pid = 0x7FFFFFFF; // more than any process id can be: it is looked at in full each time
    session.control().version = 77;             // and never cleared
  }
  std::atomic<bool> done{false};
  std::thread resizer([&] {
    while (!done)
      for (const off_t octets : {off_t{8}, off_t{4096}, static_cast<off_t>(sizeof(ControlBlock))})
        CHECK(truncate(file.c_str(), octets) == 0);
  });
  for (int round = 0; round < 300; ++round)
    CHECK_FALSE(has(Session::clear_dead(), name));
  done = true;
  resizer.join();
  REQUIRE(truncate(file.c_str(), 64) == 0);
  CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains("not complete"), Error);
  unlink(file.c_str());
}

TEST_CASE("what others may read or write, or what is no regular file, is no session and no ring of ours") {
  namespace fs = std::filesystem;
  const std::string name = name_of("open"), control = "/dev/shm/" + segment(name, "control");
  const auto is_left_alone = [&](const std::string& why) {
    CAPTURE(why);
    CHECK_FALSE(has(Session::names(), name));
    CHECK_FALSE(has(Session::clear_dead(), name));
    CHECK_THROWS_WITH_AS(static_cast<void>(Session::attach(name)), doctest::Contains(why.c_str()), Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(Session::create(name)), doctest::Contains(why.c_str()), Error);
    Session::remove(name);
    CHECK(fs::exists(fs::symlink_status(control)));
    fs::remove(control);
  };
  write_file(control, std::string(sizeof(ControlBlock), '\0'));
  fs::last_write_time(control, fs::file_time_type::clock::now() - std::chrono::minutes(2));
  chmod(control.c_str(), 0644);
  is_left_alone("has mode 0644");
  REQUIRE(mkfifo(control.c_str(), 0600) == 0);
  is_left_alone("is no regular file");
  fs::create_directory(control);
  is_left_alone("is no regular file");
}

TEST_CASE("many dead sessions with many rings are cleared in one go") {
  constexpr int sessions = 40, rings = 20;
  const pid_t child = start_child([&] {
    for (int session = 0; session < sessions; ++session) {
      static std::vector<Session> made;
      made.push_back(Session::create(name_of("many") + std::to_string(session)));
      for (int ring = 0; ring < rings; ++ring)
        static_cast<void>(Ring::create(std::string(segment_prefix) + made.back().ring_name("flows", ring), 4096));
    }
  });
  kill_child(child);
  Session::clear_dead();
  for (int session = 0; session < sessions; ++session)
    CHECK(Segment::list(segment("unit-" + std::to_string(child) + "-many" + std::to_string(session), "")).empty());
}
