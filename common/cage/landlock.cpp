// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/cage/landlock.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace orbweaver {

namespace {

// As the kernel's headers have them, of which Debian 12's stop at ABI 2: rights by the ABI that brought them.
constexpr std::uint64_t execute = 1 << 0, write_file = 1 << 1, read_file = 1 << 2, read_dir = 1 << 3,
                        remove_file = 1 << 5, make_reg = 1 << 8, truncate_file = 1 << 14;
constexpr std::uint64_t all_of_abi[] = {0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1};
constexpr std::uint64_t bind_and_connect_tcp = 3, abstract_sockets_and_signals = 3;
constexpr long tcp_abi = 4, scope_abi = 6;

/// struct landlock_ruleset_attr, as far as ABI 6 has it.
struct RulesetAttributes {
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scoped;
};

std::uint64_t rights_of(CagePath::Rights rights) {
  switch (rights) {
  case CagePath::Rights::read:
    return read_file | read_dir;
  case CagePath::Rights::remove:
    return read_dir | remove_file;
  case CagePath::Rights::change:
    return read_file | read_dir | write_file | truncate_file;
  case CagePath::Rights::write:
    return read_file | read_dir | write_file | truncate_file | remove_file | make_reg;
  }
  return 0;
}

void refuse(const std::string& what) {
  throw Error("cannot enter the cage: Landlock: " + what + ": " + errno_text() +
              "; --no-sandbox leaves it out, to find out why");
}

void add_path(int rules, const CagePath& path, std::uint64_t handled) {
  constexpr std::uint64_t of_a_file = execute | write_file | read_file | truncate_file;
  const FileDescriptor at(open(path.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status {};
  if (!at || fstat(at.get(), &status) != 0)
    return; // what is not there cannot be opened
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rights_of(path.rights) & handled & (S_ISDIR(status.st_mode) ? ~0ULL : of_a_file);
  beneath.parent_fd = at.get();
  if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0)
    refuse(path.path);
}

std::size_t size_of_attributes(long abi) {
  return abi >= scope_abi ? sizeof(RulesetAttributes)
         : abi >= tcp_abi ? offsetof(RulesetAttributes, scoped)
                          : offsetof(RulesetAttributes, network);
}

} // namespace

FileDescriptor landlock_rules(const std::vector<CagePath>& paths, bool tcp, std::string& missing) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) {
    missing =
        "this kernel has no Landlock (it comes with Linux 5.13, where the boot option lsm= has it): any file that "
        "the user may read can be read from within the cage";
    return FileDescriptor();
  }
  const auto known = std::min<std::size_t>(static_cast<std::size_t>(abi), std::size(all_of_abi) - 1);
  const RulesetAttributes attributes{all_of_abi[known], tcp ? 0 : bind_and_connect_tcp, abstract_sockets_and_signals};
  FileDescriptor rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size_of_attributes(abi), 0)));
  if (!rules)
    refuse("a set of rules");
  for (const auto& path : paths)
    add_path(rules.get(), path, attributes.files);
  return rules;
}

int restrict_by_landlock(int rules) noexcept {
  return syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? 0 : errno;
}

} // namespace orbweaver
