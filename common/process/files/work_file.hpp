// SPDX-License-Identifier: GPL-3.0-or-later
// Files of results while they are written: `PATH.XXXXXX.part`, X at random, until the output is complete and gets its
// name. Who writes holds its lock (flock); one without is what a killed run left. Whoever meets one names it: what was
// written is worth something. No state, any thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/process/files/rotation.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// What tells a work file from others of its name.
struct WorkTag {
  std::array<char, 6> letters;

  [[nodiscard]] std::string_view text() const noexcept { return {letters.data(), letters.size()}; }
};
/// One that nobody can guess.
[[nodiscard]] WorkTag random_tag() noexcept;

/// A work file for an output of that path, locked; its name. The descriptor is empty where there is none: errno says
/// why.
struct WorkFile {
  FileDescriptor file;
  std::string path;
};
/// A new one. Mode as the umask says, of at most `mode`. Where there is a file with that tag it gets another one.
[[nodiscard]] WorkFile make_work_file(const std::string& path, unsigned mode, WorkTag& tag);
[[nodiscard]] inline WorkFile make_work_file(const std::string& path, unsigned mode) {
  auto tag = random_tag();
  return make_work_file(path, mode, tag);
}

/// The one with that tag of an output whose names have their time, made by somebody who is gone. errno is ENOENT where
/// there is none.
[[nodiscard]] WorkFile find_work_file(const NamePattern& names, const WorkTag& tag);

/// Cuts off what stands behind the last line's end of a regular file; returns how many octets that were.
std::uint64_t cut_to_line(int fd) noexcept;

/// The same of an output of that name, which may be compressed: then behind its last whole frame (zst_frames.hpp).
std::uint64_t cut_to_whole(int fd, std::string_view name) noexcept;

/// The same of a file of this user's that nobody writes, by its path; of any other nothing.
void cut_own_file(const std::string& path) noexcept;

/// A work file that nobody writes any more.
struct LeftFile {
  std::string path;
  std::uint64_t octets; ///< that end at a line's end: the rest was cut off
};

/// Those that killed runs with an output of that path left, and those for tables beside it: `flows.dns.csv` beside
/// `flows.csv`. Only files of this user's.
[[nodiscard]] std::vector<LeftFile> left_files(const std::string& path);

/// The same of outputs whose names have their time.
[[nodiscard]] std::vector<LeftFile> left_files(const NamePattern& pattern);

/// What to tell of one: where it is, what is in it, and what to do.
[[nodiscard]] std::string to_string(const LeftFile& left);

} // namespace orbweaver
