// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/cage/cage.hpp"

#include "config.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <functional>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace orbweaver;

namespace {

/// What a process of its own ends with that does this within a cage: 0 where it came back.
int end_of(const std::function<void()>& act, std::vector<CagePath> paths = {}) {
  const pid_t child = fork();
  if (child == 0) {
    CageRules rules;
    rules.program = "cage-test";
    rules.calls = {base_calls()};
    rules.paths = std::move(paths);
    try {
      static_cast<void>(enter_cage(rules, {}));
    } catch (...) {
      _exit(99);
    }
    act();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

TEST_CASE("each call of the list that all stages share is one that the library knows") {
  for (const auto& call : base_calls()) {
    INFO(call.name);
    CHECK(seccomp_syscall_resolve_name(call.name) != __NR_SCMP_ERROR);
  }
}

TEST_CASE("what is in the list goes on in the cage, what is not ends the process with status 1" *
          doctest::skip(ORBWEAVER_SANITIZED)) {
  CHECK(end_of([] { std::free(std::malloc(1 << 24)); }) == 0);
  CHECK(end_of([] { static_cast<void>(::kill(getppid(), 0)); }) == 0);
  CHECK(end_of([] { ::kill(getppid(), SIGCONT); }) == 1);
  CHECK(end_of([] { static_cast<void>(socket(AF_INET, SOCK_STREAM, 0)); }) == 1);
  CHECK(end_of([] { static_cast<void>(open("/etc/passwd", O_RDONLY)); }) == 1);
  CHECK(end_of([] { static_cast<void>(fork()); }) == 1);
}

TEST_CASE("a folder is listed where a rule says so, and nowhere else" * doctest::skip(ORBWEAVER_SANITIZED)) {
  const auto list = [](const char* folder, bool allowed) {
    const int fd = open(folder, O_RDONLY | O_DIRECTORY);
    if ((fd >= 0) != allowed)
      _exit(2);
  };
  CHECK(end_of([&] { list("/etc", false); }, {{"/dev/shm", CagePath::Rights::remove}}) == 0);
  CHECK(end_of([&] { list("/dev/shm", true); }, {{"/dev/shm", CagePath::Rights::remove}}) == 0);
}
