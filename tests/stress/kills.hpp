// SPDX-License-Identifier: GPL-3.0-or-later
// What the stresses that kill a stage at work have in common: the processes, the kills, and how they are asked for.
#pragma once

#include "common/process/options/command_line.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace orbweaver::test {

struct KillOptions {
  unsigned kills;
  unsigned longest_us = 20'000;
  std::uint64_t seed = 0;
  bool may_end = false; ///< one that has come to its end is followed too
};

inline void add_kill_options(CommandLine& app, KillOptions& options) {
  app.add_option("--kills", options.kills, "How often");
  app.add_option("--longest-us", options.longest_us, "The longest that one lives");
  app.add_option("--seed", options.seed, "Of the random numbers");
}

/// What the processes that are started from here on tell each other; all zero.
template <typename Shared>
Shared& shared_by_all() {
  return *static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

/// Starts a process that does `run`, which ends it.
template <typename Run>
pid_t in_process(Run&& run) {
  const pid_t child = fork();
  if (child == 0) {
    run();
    _exit(16);
  }
  return child;
}

inline int status_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

/// Runs a stage, which says whether it came to its end in order, and ends the process by that.
template <typename Run>
[[noreturn]] void end_as(Run&& run) {
  try {
    _exit(run() ? 0 : 12);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(13);
  }
}

/// Runs a merger or a measurement to its end, and says what it has to say. Whether that was in order.
bool ended_in_order(auto& stage, const std::atomic<bool>& stop) {
  const bool complete = stage.run(stop);
  for (const auto& problem : stage.problems())
    std::fprintf(stderr, "%s\n", problem.c_str());
  return complete;
}

/// Calls `take` with each line of a file, which may be compressed, without its end.
template <typename Take>
void for_each_line(const std::string& path, bool is_compressed, Take&& take) {
  const auto close = [is_compressed](FILE* file) { return is_compressed ? pclose(file) : fclose(file); };
  const std::unique_ptr<FILE, decltype(close)> file(
      is_compressed ? popen(("zstd -dcq '" + path + "'").c_str(), "r") : fopen(path.c_str(), "r"), close);
  char* line = nullptr;
  std::size_t room = 0;
  while (file) {
    const auto octets = getline(&line, &room, file.get());
    if (octets <= 0)
      break;
    take(std::string_view(line, static_cast<std::size_t>(octets) - (line[octets - 1] == '\n')));
  }
  std::free(line);
}

/// Starts `stage(follows)` in a process and kills it after a while, again and again, each following the one before;
/// then sets `enough` and lets a last one come to its end. Whether each was at work until it was killed, and that one
/// ended well.
template <typename Stage>
bool kill_again_and_again(const KillOptions& options, std::atomic<bool>& enough, Stage&& stage) {
  std::mt19937_64 dice(options.seed);
  bool good = true;
  bool follows = false;
  for (unsigned number = 0; number < options.kills && good; ++number) {
    const pid_t at_work = in_process([&] { stage(follows); });
    usleep(static_cast<unsigned>(dice() % options.longest_us));
    kill(at_work, SIGKILL);
    const int status = status_of(at_work);
    good = WIFSIGNALED(status) || (options.may_end && status == 0);
    follows = true;
  }
  enough = true;
  return good && status_of(in_process([&] { stage(follows); })) == 0;
}

} // namespace orbweaver::test
