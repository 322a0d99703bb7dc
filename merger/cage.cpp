// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/cage.hpp"

#include <fcntl.h>
#include <filesystem>

namespace orbweaver {

namespace {

constexpr CageCall files[] = {
    // What is written is brought to the disk. New files may be made, and are; Landlock says in which folder.
    {"fchmod"},
    {"fdatasync"},
    {"flock"},
    {"fsync"},
    {"openat", {{2, O_CREAT, O_CREAT}}},
    // A file gets its name when it is complete.
    {"link"},
    {"linkat"},
    {"rename"},
    {"renameat"},
    {"renameat2"},
};

constexpr CageCall pipe[] = {
    // Lines go into it out of memory that outlives the process, and give that back.
    {"fallocate"},
    {"sendfile"},
};

} // namespace

CageRules merger_cage(const std::string& output) {
  namespace fs = std::filesystem;
  CageRules rules;
  rules.program = "orbweaver-merger";
  rules.calls = {base_calls(), thread_calls()}; // a thread brings what is written to the disk
  rules.paths = base_paths();
  if (output.empty() || output == "-") {
    rules.calls.emplace_back(pipe);
    return rules;
  }
  // A link's target is written, in the target's folder (sinks/output.hpp). A device or a pipe is open, and no more.
  std::error_code error;
  const auto target = fs::weakly_canonical(fs::absolute(output), error);
  if (!error && (!fs::exists(target, error) || fs::is_regular_file(target, error))) {
    rules.calls.emplace_back(files);
    rules.paths.push_back({target.parent_path().string(), CagePath::Rights::write});
  }
  return rules;
}

} // namespace orbweaver
