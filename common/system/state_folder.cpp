// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/state_folder.hpp"

#include "common/error.hpp"
#include "common/trusted_file.hpp"

#include <cstdlib>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr FileTrust own_folder{S_IFDIR, 0077, false};

/// In the order in which they are tried.
std::vector<std::string> places() {
  std::vector<std::string> places;
  if (geteuid() == 0)
    places.emplace_back("/run/orbweaver");
  if (const char* const runtime = secure_getenv("XDG_RUNTIME_DIR"); runtime && *runtime == '/')
    places.push_back(std::string(runtime) + "/orbweaver");
  return places;
}

StateFolder open_folder(const std::string& path, std::string& why) {
  return {path, open_trusted(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, own_folder, why)};
}

} // namespace

StateFolder make_state_folder() {
  std::string problems;
  for (const auto& path : places()) {
    std::string why;
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
      why = "cannot be made: " + errno_text();
    else if (auto made = open_folder(path, why); made.folder)
      return made;
    problems += (problems.empty() ? "" : "; ") + path + " " + (why.empty() ? "has just gone" : why);
  }
  if (problems.empty())
    problems = "XDG_RUNTIME_DIR is not set";
  throw Error("there is no folder for what is to be put back of the system's state: " + problems +
              "; set XDG_RUNTIME_DIR to a folder of your own (mode 0700), as a login sets it");
}

std::vector<StateFolder> state_folders(std::vector<std::string>& refused) {
  std::vector<StateFolder> folders;
  for (const auto& path : places()) {
    std::string why;
    if (auto there = open_folder(path, why); there.folder)
      folders.push_back(std::move(there));
    else if (!why.empty())
      refused.push_back(path + " " + why);
  }
  return folders;
}

} // namespace orbweaver
