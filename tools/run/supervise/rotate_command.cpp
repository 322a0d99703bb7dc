// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/supervise/rotate_command.hpp"

#include "common/cage/cage.hpp"
#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/printable.hpp"
#include "common/process/child_environment.hpp"
#include "common/trusted_file.hpp"
#include "tools/run/supervise/process.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <simdjson.h>
#include <spdlog/spdlog.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::uint64_t most_at_a_look = 1 << 20; // octets of the manifest
constexpr std::size_t most_waiting = 100'000;

/// Where a command lies, found as a shell would.
std::string found(const std::string& command) {
  if (command.find('/') != std::string::npos)
    return command;
  const char* const path = secure_getenv("PATH");
  std::string_view folders = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!folders.empty()) {
    const auto folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    const auto candidate = std::string(folder) + "/" + command;
    if (!folder.empty() && access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  throw UsageError("--rotate-command " + printable(command) + ": there is no such program in PATH: give its path");
}

/// What the child does between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment) noexcept {
  setpgid(0, 0); // Ctrl-C is for the run; it is ended with all that it starts
  for (const int signal : {SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ})
    std::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO); // only data goes to standard output
  if (null > STDERR_FILENO)
    close(null);
  execve(program, arguments, environment);
  _exit(127);
}

} // namespace

RotateCommand::RotateCommand(const std::string& command, const std::string& output, std::string user)
    : user_(std::move(user)) {
  if (command.empty())
    return;
  program_ = found(command);
  names_.push_back(rotated_names(output));
  struct stat status {};
  const auto refuse = [&](const std::string& why) {
    throw UsageError("--rotate-command " + printable(program_) + ": " + why);
  };
  if (stat(program_.c_str(), &status) != 0)
    refuse(errno_text());
  if (const auto why = why_not_trusted(status, code_file); !why.empty())
    refuse("it " + why);
  if (access(program_.c_str(), X_OK) != 0)
    refuse("it is no program that can be run: " + errno_text());
  if (stat(names_.front().manifest().c_str(), &status) == 0)
    read_to_ = static_cast<std::uint64_t>(status.st_size);
}

RotateCommand::~RotateCommand() {
  for (const auto& child : children_) {
    kill(-child.pid, SIGKILL);
    waitpid(child.pid, nullptr, 0);
  }
}

void RotateCommand::update() {
  if (program_.empty())
    return;
  read_manifest();
  reap();
  while (!waiting_.empty() && children_.size() < at_once) {
    start(waiting_.front());
    waiting_.pop_front();
  }
  if (waiting_.empty())
    is_held_up_ = false;
  else if (waiting_.size() > at_once && !std::exchange(is_held_up_, true))
    spdlog::warn("--rotate-command {}: {} of it run since {} and hold up those for {} files; the run goes on", program_,
                 children_.size(), printable(children_.front().file), waiting_.size());
}

void RotateCommand::read_manifest() {
  std::string why;
  const AsUser as_user(user_); // who writes it, and whose files are in it
  const auto file = open_trusted(AT_FDCWD, names_.front().manifest(), O_RDONLY, {S_IFREG, 0, false}, why);
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0)
    return;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= read_to_) {
    read_to_ = size; // somebody made it shorter
    return;
  }
  std::string text(std::min(size - read_to_, most_at_a_look), '\0');
  const auto got = pread(file.get(), text.data(), text.size(), static_cast<off_t>(read_to_));
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
    read_to_ += end + 1;
    take_line(text.substr(0, end));
  }
}

/// A line tells what to run the command for, and is believed as far as that: names that the run may have given.
void RotateCommand::take_line(const std::string& line) {
  simdjson::dom::parser parser;
  simdjson::dom::array files;
  if (parser.parse(line)["files"].get_array().get(files) != simdjson::SUCCESS)
    return;
  const auto& names = names_.front();
  for (const auto element : files) {
    std::string_view name;
    if (element["file"].get_string().get(name) != simdjson::SUCCESS || waiting_.size() >= most_waiting)
      continue;
    if (const std::string text(name); is_of_series(names, text))
      waiting_.push_back(names.path_of(text));
  }
}

void RotateCommand::start(const std::string& file) {
  auto program = program_, argument = file;
  std::array<char*, 3> arguments{program.data(), argument.data(), nullptr};
  const auto environment = child_environment();
  const pid_t pid = fork();
  if (pid == 0)
    become(program.c_str(), arguments.data(), environment.data());
  if (pid < 0) {
    fail(file, "cannot be started: " + errno_text());
    return;
  }
  setpgid(pid, pid); // whichever of the two comes first
  children_.push_back({pid, file});
}

void RotateCommand::fail(const std::string& file, const std::string& why) {
  ++count_.failed;
  spdlog::warn("--rotate-command {} for {} {}", program_, printable(file), why);
}

void RotateCommand::reap() {
  std::erase_if(children_, [this](const Child& child) {
    int status = 0;
    if (waitpid(child.pid, &status, WNOHANG) != child.pid)
      return false;
    ++count_.run;
    if (WIFSIGNALED(status))
      fail(child.file, "was killed by " + signal_name(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
      fail(child.file, "failed with exit status " + std::to_string(WEXITSTATUS(status)));
    return true;
  });
}

void RotateCommand::finish(std::chrono::seconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  update();
  while ((!children_.empty() || !waiting_.empty()) && std::chrono::steady_clock::now() < until) {
    poll(nullptr, 0, 20);
    update();
  }
  count_.not_run = waiting_.size() + children_.size();
  if (count_.not_run == 0)
    return;
  const auto& first = children_.empty() ? waiting_.front() : children_.front().file;
  spdlog::warn("--rotate-command {}: {} files are left without it, since it has not ended {} s after the run: {} and "
               "later ones",
               program_, count_.not_run, patience.count(), printable(first));
}

} // namespace orbweaver
