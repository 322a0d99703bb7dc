// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/landlock.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orbweaver {

namespace {

// As the kernel's headers have them, of which Debian 12's stop at ABI 2: rights by the ABI that brought them.
constexpr std::uint64_t write_file = 1 << 1, read_file = 1 << 2, read_dir = 1 << 3, remove_file = 1 << 5,
                        make_reg = 1 << 8, truncate_file = 1 << 14;
constexpr std::uint64_t all_of_abi[] = {0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1};
constexpr std::uint64_t bind_and_connect_tcp = 3;
constexpr long tcp_abi = 4;

/// struct landlock_ruleset_attr, as far as ABI 4 has it.
struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
};

std::uint64_t rights_of(CagePath::Rights rights, bool folder) {
  switch (rights) {
  case CagePath::Rights::read:
    return folder ? read_file | read_dir : read_file;
  case CagePath::Rights::remove:
    return read_dir | remove_file;
  case CagePath::Rights::write:
    return folder ? write_file | read_dir | remove_file | make_reg | truncate_file : write_file | truncate_file;
  }
  return 0;
}

void refuse(const std::string& what) {
  throw Error("cannot enter the cage: Landlock: " + what + ": " + errno_text() +
              "; --no-sandbox leaves it out, to find out why");
}

void add_path(int ruleset, const CagePath& path, std::uint64_t handled) {
  const FileDescriptor at(open(path.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!at || fstat(at.get(), &status) != 0)
    return; // what is not there cannot be opened
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rights_of(path.rights, S_ISDIR(status.st_mode)) & handled;
  beneath.parent_fd = at.get();
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
    refuse(path.path);
}

} // namespace

std::string restrict_by_landlock(const std::vector<CagePath>& paths, bool tcp) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1)
    return "this kernel has no Landlock: what is left of files is kept out by the filter of system calls alone";
  const auto known = std::min<std::size_t>(static_cast<std::size_t>(abi), std::size(all_of_abi) - 1);
  RulesetAttributes attributes{all_of_abi[known], !tcp && abi >= tcp_abi ? bind_and_connect_tcp : 0};
  const std::size_t size = abi >= tcp_abi ? sizeof attributes : sizeof attributes.files;
  const FileDescriptor ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset)
    refuse("a set of rules");
  for (const auto& path : paths)
    add_path(ruleset.get(), path, attributes.files);
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    refuse("the restriction");
  return {};
}

} // namespace orbweaver
