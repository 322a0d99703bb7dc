// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/system/system_helper.hpp"

#include "common/cage/cage.hpp"
#include "common/error.hpp"
#include "common/process/stage.hpp"
#include "common/system/state_folder.hpp"
#include "common/system/system_state.hpp"
#include "config.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <linux/capability.h>
#include <optional>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

/// What the spider asks for.
struct Request {
  std::uint32_t config; ///< place in the list
};
static_assert(sizeof(Request) == 4);

/// What the helper answers, to its start, to each request, and at last.
struct Answer {
  std::uint32_t failed;
  std::array<char, 1020> why; ///< ends with a zero
};
static_assert(sizeof(Answer) == 1024);

/// Whether a message of that size came; the sockets keep messages whole.
template <typename Message>
bool receive(int socket, Message& message) noexcept {
  ssize_t size = 0;
  do
    size = recv(socket, &message, sizeof message, 0);
  while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(sizeof message);
}

template <typename Message>
bool give(int socket, const Message& message) noexcept {
  ssize_t size = 0;
  do
    size = send(socket, &message, sizeof message, MSG_NOSIGNAL);
  while (size < 0 && errno == EINTR);
  return size == static_cast<ssize_t>(sizeof message);
}

bool answer(int socket, const std::string& problem) noexcept {
  Answer message{!problem.empty(), {}};
  std::strncpy(message.why.data(), problem.c_str(), message.why.size() - 1);
  return give(socket, message);
}

void apply(SystemState& state, const SystemConfiguration& configuration) {
  for (const auto& setting : configuration.sysctls)
    state.set_sysctl(setting.name, setting.value);
}

/// Empty where it went well.
std::string problem_of(const auto& act) {
  try {
    act();
    return {};
  } catch (const std::exception& error) {
    return error.what();
  }
}

/// What it has no list of, Landlock and its one capability keep out.
CageRules helper_cage() {
  using enum CagePath::Rights;
  CageRules rules;
  rules.program = "orbweaver-system";
  rules.paths.push_back({"/proc", read});
  rules.paths.push_back({"/proc/sys/net", change});
  rules.paths.push_back({make_state_folder().path, remove}); // its journal, which is open
  rules.capabilities = {CAP_NET_ADMIN};
  return rules;
}

/// What it is started with.
struct Start {
  const std::string& session;
  const std::vector<SystemConfiguration>& configurations;
  bool caged;
  const std::string& tried;
};

void serve(int socket, const Start& how) {
  std::optional<SystemState> state;
  const auto start = [&] {
    state.emplace(how.session);
    if (how.caged)
      static_cast<void>(enter_cage(helper_cage(), {}));
#ifdef ORBWEAVER_TRIES
    if (!how.tried.empty())
      try_forbidden(how.tried);
#endif
  };
  const auto problem = problem_of(start);
  if (!answer(socket, problem) || !problem.empty())
    return;
  for (Request request{}; receive(socket, request);) {
    const auto set = [&] {
      if (request.config >= how.configurations.size())
        throw Error("there is no configuration " + std::to_string(request.config));
      apply(*state, how.configurations[request.config]);
    };
    if (!answer(socket, problem_of(set)))
      break;
  }
  std::string left;
  for (const auto& sentence : state->restore())
    left += (left.empty() ? "" : "; ") + sentence;
  if (!answer(socket, left) && !left.empty())
    spdlog::error("{}", left); // the spider is gone
}

/// The helper's process: out of the spider's group, whose signals end the spider in order, and not before it.
[[noreturn]] void run_helper(int socket, const Start& how) noexcept {
  setpgid(0, 0);
  prctl(PR_SET_NAME, "orbweaver-sys");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
    std::signal(signal, SIG_IGN);
  try {
    set_up_log("orbweaver-system"); // the spider's log counts in the spider's block
    serve(socket, how);
  } catch (...) {
    _exit(exit_failed); // the journal stays, and the next start puts back
  }
  _exit(exit_done); // nothing of the spider's is destroyed here
}

} // namespace

SystemHelper::SystemHelper(const std::string& session, const std::vector<SystemConfiguration>& configurations,
                           bool caged, const std::string& tried) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error("cannot start what changes the system: " + errno_text());
  socket_ = FileDescriptor(ends[0]);
  FileDescriptor theirs(ends[1]);
  process_ = fork();
  if (process_ < 0)
    throw Error("cannot start what changes the system: " + errno_text());
  if (process_ == 0) {
    socket_.reset(); // or the spider's end would never be seen
    run_helper(theirs.get(), {session, configurations, caged, tried});
  }
  theirs.reset();
  Answer started{};
  const bool came = receive(socket_.get(), started);
  if (came && started.failed == 0)
    return;
  waitpid(std::exchange(process_, -1), nullptr, 0);
  started.why.back() = '\0';
  throw Error(came ? started.why.data() : "what changes the system ended before it began");
}

SystemHelper::~SystemHelper() {
  if (process_ > 0)
    static_cast<void>(restore());
}

void SystemHelper::configure(unsigned config) {
  Answer said{};
  if (!give(socket_.get(), Request{config}) || !receive(socket_.get(), said))
    throw HelperGone("what changes the system (process " + std::to_string(process_) + ") has ended");
  said.why.back() = '\0';
  if (said.failed != 0)
    throw Error(said.why.data());
}

std::string SystemHelper::restore() {
  if (process_ <= 0)
    return {};
  shutdown(socket_.get(), SHUT_WR);
  Answer said{};
  const bool came = receive(socket_.get(), said);
  while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  if (!came)
    return "what changes the system ended before it had put everything back: the next start does";
  said.why.back() = '\0';
  return said.failed != 0 ? said.why.data() : "";
}

} // namespace orbweaver
