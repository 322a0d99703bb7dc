// SPDX-License-Identifier: GPL-3.0-or-later
// Who measures beside whom, in a network namespace of this program's own.
#include "common/error.hpp"
#include "common/system/namespace_claim.hpp"
#include "tests/unit/common/stream/ring_support.hpp"

#include <cstddef>
#include <cstring>
#include <doctest/doctest.h>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

using Kind = NamespaceClaim::Kind;

/// False, with the reason shown, where that is not permitted.
bool own_namespace() {
  static const bool done = unshare(CLONE_NEWNET) == 0;
  if (!done)
    MESSAGE("skipped: no network namespace of its own (it takes CAP_SYS_ADMIN)");
  return done;
}

/// A process that holds a claim, and ends by being killed.
pid_t holder(const std::string& session, Kind kind) {
  return start_child([&] { static const NamespaceClaim claim(session, kind); });
}

} // namespace

TEST_CASE(
    "those that change nothing measure side by side; who changes the system is alone, and goes with his process") {
  if (!own_namespace())
    return;
  const pid_t first = holder("first", Kind::measures);
  CHECK_NOTHROW(NamespaceClaim("other", Kind::measures));
  CHECK_THROWS_WITH_AS(NamespaceClaim("changer", Kind::changes),
                       doctest::Contains(("session 'first' (process " + std::to_string(first) + ", user ").c_str()),
                       Error);
  kill_child(first);
  CHECK_NOTHROW(NamespaceClaim("changer", Kind::changes));
  const pid_t changer = holder("changer", Kind::changes);
  for (const auto kind : {Kind::measures, Kind::changes})
    CHECK_THROWS_WITH_AS(NamespaceClaim("other", kind), doctest::Contains("session 'changer' (process "), Error);
  CHECK_NOTHROW(NamespaceClaim("changer", Kind::changes)); // a process of the session that follows
  kill_child(changer);
  CHECK_NOTHROW(NamespaceClaim("other", Kind::measures));
}

TEST_CASE("names that are no claims, and claims of users that are not believed, keep nobody away") {
  if (!own_namespace() || geteuid() != 0)
    return;
  const pid_t stranger = fork();
  if (stranger == 0) {
    if (setuid(65534) != 0)
      _exit(1);
    for (const std::string name :
         {"orbweaver.changes.1.planted", "orbweaver.changes.", "orbweaver.changes.x.y", "orbweaver.changes.1.a b"}) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::memcpy(address.sun_path + 1, name.data(), name.size());
      const int fd = socket(AF_UNIX, SOCK_STREAM, 0); // stays open in the program that follows
      const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
      if (bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0 || listen(fd, 1) != 0)
        _exit(1);
    }
    execlp("sleep", "sleep", "60", nullptr); // another program than this one
    _exit(1);
  }
  usleep(300'000);
  CHECK_NOTHROW(NamespaceClaim("ours", Kind::changes));
  kill_child(stranger);
}
