// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/namespace_claim.hpp"

#include "common/error.hpp"
#include "common/process/session_name.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace orbweaver {

namespace {

using Kind = NamespaceClaim::Kind;

constexpr std::string_view prefix_of(Kind kind) noexcept {
  return kind == Kind::changes ? "orbweaver.changes." : "orbweaver.measures.";
}

struct Claim {
  Kind kind;
  pid_t process;
  std::string session;
  std::string name; ///< without the zero before it
};

struct Name {
  sockaddr_un address{};
  socklen_t length = 0;

  explicit Name(std::string_view text) {
    address.sun_family = AF_UNIX;
    text.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                    std::min(text.size(), sizeof address.sun_path - 1));
  }
  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address); }
};

FileDescriptor open_socket() {
  FileDescriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made)
    throw Error("cannot find out who measures in this network namespace: " + errno_text());
  return made;
}

/// What such a name says, or nothing where it is none.
std::optional<Claim> read_claim(std::string_view name) {
  for (const auto kind : {Kind::changes, Kind::measures}) {
    if (!name.starts_with(prefix_of(kind)))
      continue;
    const auto rest = name.substr(prefix_of(kind).size());
    const auto dot = rest.find('.');
    if (dot == rest.npos)
      return std::nullopt;
    pid_t process = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + dot, process);
    const std::string session(rest.substr(dot + 1));
    if (error != std::errc() || end != rest.data() + dot || !session_name_fits(session))
      return std::nullopt;
    return Claim{kind, process, session, std::string(name)};
  }
  return std::nullopt;
}

/// Of sockets in this network namespace (proc_pid_net(5), unix).
template <typename Visit>
void for_each_claim(Visit&& visit) {
  std::ifstream sockets("/proc/self/net/unix");
  for (std::string line; std::getline(sockets, line);)
    if (const auto at = line.find(" @orbweaver."); at != line.npos)
      if (const auto claim = read_claim(std::string_view(line).substr(at + 2)))
        visit(*claim);
}

bool runs_this_program(pid_t process) noexcept {
  struct stat own {
  }, other{};
  return stat("/proc/self/exe", &own) == 0 &&
         stat(("/proc/" + std::to_string(process) + "/exe").c_str(), &other) == 0 && own.st_dev == other.st_dev &&
         own.st_ino == other.st_ino;
}

/// Who holds a claim, where he is believed. Each who asks stays in its queue: one so long was asked by very many, and
/// is believed as it stands.
std::optional<ucred> holder_of(const Claim& claim) {
  const auto socket = open_socket();
  const Name name(claim.name);
  ucred who{claim.process, geteuid(), getegid()};
  socklen_t length = sizeof who;
  if (connect(socket.get(), name.get(), name.length) != 0)
    return errno == EAGAIN ? std::optional(who) : std::nullopt; // else it has just ended
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &length) != 0)
    return std::nullopt;
  const bool is_believed = who.uid == 0 || who.uid == geteuid() || (geteuid() == 0 && runs_this_program(who.pid));
  return is_believed ? std::optional(who) : std::nullopt;
}

} // namespace

NamespaceClaim::NamespaceClaim(const std::string& session, Kind kind) : socket_(open_socket()) {
  const auto own = std::string(prefix_of(kind)) + std::to_string(getpid()) + "." + session;
  const Name name(own);
  // Two that start at once: each has its name before it looks, so that one of them sees the other.
  if (bind(socket_.get(), name.get(), name.length) != 0 || listen(socket_.get(), SOMAXCONN) != 0)
    throw Error("cannot say that session '" + session + "' measures in this network namespace: " + errno_text());
  for_each_claim([&](const Claim& other) {
    if (other.session == session || (kind == Kind::measures && other.kind == Kind::measures))
      return;
    const auto who = holder_of(other);
    if (!who)
      return;
    const auto whose = "session '" + other.session + "' (process " + std::to_string(who->pid) + ", user " +
                       std::to_string(who->uid) + ")";
    throw Error(other.kind == Kind::changes
                    ? whose + " changes the state of this network namespace now, and what is measured beside it would "
                              "be measured in its state: wait until it has ended, or use a network namespace of its own"
                    : whose + " measures in this network namespace now, and this measurement would change the state "
                              "under it: wait until it has ended, or use a network namespace of its own");
  });
}

} // namespace orbweaver
