// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/cage/cage.hpp"

#include "config.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <functional>
#include <linux/capability.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

using namespace orbweaver;

namespace {

constexpr int came_back = 0, refused_call = 1, as_it_should_not = 2, no_cage = 99;

CageRules rules_of(std::vector<std::span<const CageCall>> calls, std::vector<CagePath> paths = {}) {
  CageRules rules;
  rules.program = "cage-test";
  rules.calls = std::move(calls);
  rules.paths = std::move(paths);
  return rules;
}

/// What a process of its own ends with that does `before`, enters a cage, and does `within`.
int end_of(
    const CageRules& rules, const std::function<void()>& within, const std::function<void()>& before = [] {}) {
  const pid_t child = fork();
  if (child == 0) {
    before();
    try {
      static_cast<void>(enter_cage(rules, {}));
    } catch (...) {
      _exit(no_cage);
    }
    within();
    _exit(came_back);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int end_of(const std::function<void()>& within) {
  return end_of(rules_of({base_calls()}, base_paths()), within);
}

void check(bool as_it_should) {
  if (!as_it_should)
    _exit(as_it_should_not);
}

/// Within a cage: whether opening fails, as Landlock lets it.
void check_refused(const char* path, int flags) {
  check(open(path, flags | O_CLOEXEC) < 0 && errno == EACCES);
}

std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  check(syscall(SYS_capget, &header, sets) == 0);
  return sets[0].effective | std::uint64_t{sets[1].effective} << 32;
}

constexpr CageCall capget[] = {{"capget"}};

} // namespace

TEST_CASE("each call of the lists that all stages share is one that the library knows") {
  for (const auto& list : {base_calls(), thread_calls()})
    for (const auto& call : list) {
      INFO(call.name);
      CHECK(seccomp_syscall_resolve_name(call.name) != __NR_SCMP_ERROR);
    }
}

TEST_CASE("what is in the list goes on in the cage, what is not ends the process with status 1" *
          doctest::skip(ORBWEAVER_SANITIZED)) {
  CHECK(end_of([] { std::free(std::malloc(1 << 24)); }) == came_back);
  CHECK(end_of([] { ::kill(getppid(), 0); }) == refused_call);
  CHECK(end_of([] { static_cast<void>(socket(AF_INET, SOCK_STREAM, 0)); }) == refused_call);
  CHECK(end_of([] { static_cast<void>(open("/etc/passwd", O_RDWR)); }) == refused_call);
  CHECK(end_of([] { static_cast<void>(open("/proc/self/mem", O_WRONLY)); }) == refused_call);
  CHECK(end_of([] { static_cast<void>(fork()); }) == refused_call);
  CHECK(end_of([] { execl("/bin/true", "true", nullptr); }) == refused_call);
}

TEST_CASE("no memory of a cage can be made to run" * doctest::skip(ORBWEAVER_SANITIZED)) {
  const auto map = [](int protection) { return mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); };
  CHECK(end_of([&] { check(map(PROT_READ | PROT_WRITE) != MAP_FAILED); }) == came_back);
  CHECK(end_of([&] { map(PROT_READ | PROT_EXEC); }) == refused_call);
  CHECK(end_of([&] { mprotect(map(PROT_READ), 4096, PROT_EXEC); }) == refused_call);
}

TEST_CASE("both arguments of an entry count, of several entries one, and one with an error is not made" *
          doctest::skip(ORBWEAVER_SANITIZED)) {
  static constexpr CageCall sockets[] = {{"socket", {{0, AF_INET}, {1, SOCK_DGRAM, 0xF}}},
                                         {"socket", {{0, AF_INET6}, {1, SOCK_STREAM, 0xF}}},
                                         {"socket", {{0, AF_UNIX}}, EPROTOTYPE}};
  const auto make = [&](int domain, int type, int error) {
    return end_of(rules_of({base_calls(), sockets}), [=] {
      const int made = socket(domain, type | SOCK_CLOEXEC, 0);
      check(error == 0 ? made >= 0 || errno == EAFNOSUPPORT : made < 0 && errno == error);
    });
  };
  CHECK(make(AF_INET, SOCK_DGRAM, 0) == came_back);
  CHECK(make(AF_INET, SOCK_STREAM, 0) == refused_call);
  CHECK(make(AF_INET6, SOCK_STREAM, 0) == came_back);
  CHECK(make(AF_INET6, SOCK_DGRAM, 0) == refused_call);
  CHECK(make(AF_UNIX, SOCK_DGRAM, EPROTOTYPE) == came_back);
}

TEST_CASE("files are opened where a rule says so, and nowhere else" * doctest::skip(ORBWEAVER_SANITIZED)) {
  CHECK(end_of([] { check_refused("/etc/passwd", O_RDONLY); }) == came_back);
  CHECK(end_of([] { check_refused("/etc", O_RDONLY | O_DIRECTORY); }) == came_back);
  CHECK(end_of([] { check(open("/proc/self/stat", O_RDONLY | O_CLOEXEC) >= 0); }) == came_back);
  CHECK(end_of([] { check(open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0); }) == came_back);
  CHECK(end_of(rules_of({base_calls()}, {{"/etc", CagePath::Rights::read}}),
               [] { check(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0); }) == came_back);
}

TEST_CASE("a thread that was there before gives up its rights too") {
  static std::atomic<bool> caged{false};
  static std::atomic<int> seen{-1};
  const auto start = [] {
    std::thread([] {
      while (!caged)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const bool reads = !ORBWEAVER_SANITIZED && open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0;
      seen = effective_capabilities() == 0 && !reads ? came_back : as_it_should_not;
    }).detach();
  };
  const auto wait = [] {
    caged = true;
    while (seen < 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    check(seen == came_back && effective_capabilities() == 0);
  };
  CHECK(end_of(rules_of({base_calls(), thread_calls(), capget}), wait, start) == came_back);
}
