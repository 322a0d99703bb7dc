// SPDX-License-Identifier: GPL-3.0-or-later
// In builds with tests only: what no cage allows, tried from within.
#include "common/cage/cage.hpp"
#include "config.hpp"

#ifdef ORBWEAVER_TRIES

#include "common/error.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

namespace orbweaver {

bool try_forbidden(const std::string& what) {
  long done = -1;
  if (what == "open")
    done = open("/etc/passwd", O_RDWR | O_CLOEXEC);
  else if (what == "read")
    done = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
  else if (what == "list")
    done = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  else if (what == "create")
    done = open("/tmp/orbweaver-cage-test", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  else if (what == "exec")
    done = execl("/bin/true", "true", nullptr);
  else if (what == "ptrace")
    done = ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr);
  else if (what == "socket")
    done = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  else
    return false;
  throw Error("tried " + what + ": " + (done < 0 ? "refused with an error: " + errno_text() : "it was allowed"));
}

} // namespace orbweaver
#endif
