// SPDX-License-Identifier: GPL-3.0-or-later
// --rotate-command: a program that is run for each complete file, with the file's path as its argument. It is run by
// the front command, since the merger has no right to, and told of the files by their manifest. It never holds up a
// run: a few at a time, each in a process group of its own. The front command's thread.
#pragma once

#include "common/process/files/rotation.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <sys/types.h>
#include <vector>

namespace orbweaver {

class RotateCommand {
public:
  struct Count {
    std::uint64_t run = 0;     ///< that have ended
    std::uint64_t failed = 0;  ///< of them, or could not be started
    std::uint64_t not_run = 0; ///< files whose command was not started, or was ended with the run
  };

  /// `command`: a path, or a name to be found in PATH; empty: nothing is done. Throws UsageError where it cannot be
  /// run, or where others may write it. What the manifest has already is not told of again; it is `user`'s, empty:
  /// ours.
  RotateCommand(const std::string& command, const std::string& output, std::string user = {});
  RotateCommand(const RotateCommand&) = delete;
  RotateCommand& operator=(const RotateCommand&) = delete;
  /// Ends what still runs.
  ~RotateCommand();

  /// Once in a while: takes what the manifest has got, starts, and sees what has ended.
  void update();

  /// All files are complete: waits for the rest so long, then ends what still runs, and names it.
  void finish(std::chrono::seconds patience);

  [[nodiscard]] const Count& count() const noexcept { return count_; }

  /// So many at a time: one that never ends holds up the others only once there are as many of the kind.
  static constexpr std::size_t at_once = 4;

private:
  struct Child {
    pid_t pid;
    std::string file;
  };

  void read_manifest();
  void take_line(const std::string& line);
  void start(const std::string& file);
  void reap();
  void fail(const std::string& file, const std::string& why);

  std::string program_;
  std::string user_;
  std::vector<NamePattern> names_; ///< one, where there is a command
  std::uint64_t read_to_ = 0;      ///< of the manifest
  std::deque<std::string> waiting_;
  std::vector<Child> children_;
  Count count_;
  bool is_held_up_ = false; ///< that has been said
};

} // namespace orbweaver
