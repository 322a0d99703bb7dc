// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/cage.hpp"

#include <fcntl.h>
#include <filesystem>

namespace orbweaver {

namespace {

using enum CageCall::When;

constexpr CageCall calls[] = {
    // Files of output are made and get their names when they are complete; Landlock says in which folder. None is read.
    {"fchmod"},
    {"fdatasync"},
    {"fsync"},
    {"ftruncate"},
    {"openat", masked, 2, O_ACCMODE | O_CREAT, O_WRONLY | O_CREAT},
    {"rename"},
    // Streams in files.
    {"pread64"},
};

} // namespace

CageRules merger_cage(const std::string& output) {
  namespace fs = std::filesystem;
  CageRules rules;
  rules.program = "orbweaver-merger";
  rules.calls = {base_calls(), calls};
  if (output.empty() || output == "-")
    return rules;
  // A link's target is replaced, in the target's folder (sinks/output.hpp). A device or a pipe is open, and no more.
  std::error_code error;
  const auto target = fs::weakly_canonical(output, error);
  if (!error && (!fs::exists(target, error) || fs::is_regular_file(target, error)))
    rules.paths.push_back({target.parent_path().string(), CagePath::Rights::write});
  return rules;
}

} // namespace orbweaver
