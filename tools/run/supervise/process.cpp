// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/process.hpp"

#include "common/error.hpp"
#include "common/process/child_environment.hpp"

#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orbweaver {

namespace {

/// What the child does between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, ChildStreams streams,
                         const std::vector<int>& handed) noexcept {
  for (const int ignored : {SIGINT, SIGHUP, SIGQUIT})
    std::signal(ignored, SIG_IGN);
  // A request to end that comes before the stage can take it waits until then.
  sigset_t waits;
  sigemptyset(&waits);
  sigaddset(&waits, SIGTERM);
  sigprocmask(SIG_SETMASK, &waits, nullptr);
  if (!streams.inherit_stdin) {
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    close(null);
  }
  if (!streams.inherit_stdout)
    dup2(STDERR_FILENO, STDOUT_FILENO);
  for (const int fd : handed)
    fcntl(fd, F_SETFD, 0);
  execve(program, arguments, environment);
  _exit(127);
}

} // namespace

Process Process::start(const std::string& program, const std::vector<std::string>& arguments, ChildStreams streams,
                       const std::vector<int>& handed) {
  std::vector<char*> pointers{const_cast<char*>(program.c_str())};
  for (const auto& argument : arguments)
    pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  const auto environment = child_environment();
  Process process;
  process.pid_ = fork();
  if (process.pid_ < 0)
    throw Error("cannot start " + program + ": " + errno_text());
  if (process.pid_ == 0)
    become(program.c_str(), pointers.data(), environment.data(), streams, handed);
  return process;
}

bool Process::reap() noexcept {
  int status = 0;
  if (!running() || waitpid(pid_, &status, WNOHANG) != pid_)
    return false;
  status_ = status;
  return true;
}

void Process::wait() noexcept {
  int status = 0;
  while (running()) {
    const pid_t ended = waitpid(pid_, &status, 0);
    if (ended == pid_)
      status_ = status;
    else if (errno != EINTR)
      return;
  }
}

void Process::kill(int signal) const noexcept {
  if (running())
    ::kill(pid_, signal);
}

int Process::end_signal() const noexcept {
  return status_ && WIFSIGNALED(*status_) ? WTERMSIG(*status_) : 0;
}

int Process::exit_status() const noexcept {
  return status_ && WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1;
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

} // namespace orbweaver
