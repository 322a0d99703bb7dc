// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/memory_limit.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>
#include <sys/resource.h>

namespace orbweaver {

namespace {

constexpr std::uint64_t unknown = std::uint64_t{1} << 30;

std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt; // "max" is none
}

std::optional<std::uint64_t> number_of_file(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  return std::getline(file, line) ? number_in(line) : std::nullopt;
}

/// The number behind `key` in a file of lines.
std::optional<std::uint64_t> number_after(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(key))
      return number_in(std::string_view(line).substr(key.size()));
  return std::nullopt;
}

struct Version {
  const char* usage;
  const char* limits[2];
  std::string_view droppable; ///< in memory.stat
  const char* events;         ///< has a line `oom_kill N`
};
constexpr Version version_1{
    "memory.usage_in_bytes", {"memory.limit_in_bytes", ""}, "total_inactive_file ", "memory.oom_control"};
constexpr Version version_2{"memory.current", {"memory.max", "memory.high"}, "inactive_file ", "memory.events"};

/// What is left in one group, where it has a limit.
std::optional<std::uint64_t> left_in(const std::string& folder, const Version& version) {
  std::optional<std::uint64_t> limit;
  for (const char* name : version.limits)
    if (const auto one = *name ? number_of_file(folder + "/" + name) : std::nullopt)
      limit = std::min(limit.value_or(*one), *one);
  if (!limit)
    return std::nullopt;
  const std::uint64_t used = number_of_file(folder + "/" + version.usage).value_or(0);
  const std::uint64_t droppable = number_after(folder + "/memory.stat", version.droppable).value_or(0);
  const std::uint64_t held = used - std::min(used, droppable);
  return *limit - std::min(*limit, held);
}

/// Narrows `left` by a group below `mount` and by all above it. Where the group is not to be seen there (a namespace),
/// the nearest one above it that is.
void narrow_by(std::uint64_t& left, const std::string& mount, std::string group, const Version& version) {
  for (;;) {
    if (const auto here = left_in(mount + group, version))
      left = std::min(left, *here);
    if (group.empty() || group == "/")
      return;
    group.resize(group.rfind('/'));
  }
}

/// Calls `visit` with mount and group of each hierarchy that the process is in and that has memory.
template <typename Visit>
void for_each_group(const std::string& root, Visit&& visit) {
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) { // "4:memory:/a/b", or "0::/a/b" of version 2
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos)
      continue;
    std::string controllers = line.substr(first, second - first); // ":cpu,memory"
    std::ranges::replace(controllers, ':', ',');
    const std::string group = line.substr(second + 1);
    if ((controllers + ',').find(",memory,") != controllers.npos)
      visit(root + "/sys/fs/cgroup/memory", group, version_1);
    if (line.starts_with("0::"))
      for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        visit(root + mount, group, version_2);
  }
}

} // namespace

std::uint64_t memory_left(const std::string& root) {
  const auto available_kib = number_after(root + "/proc/meminfo", "MemAvailable:");
  std::uint64_t left = available_kib ? *available_kib * 1024 : unknown;
  for_each_group(root, [&](const auto& mount, const auto& group, const Version& version) {
    narrow_by(left, mount, group, version);
  });
  rlimit limit{};
  if (root.empty() && getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const std::uint64_t mapped = number_after("/proc/self/status", "VmSize:").value_or(0) * 1024;
    left = std::min<std::uint64_t>(left, limit.rlim_cur - std::min<std::uint64_t>(limit.rlim_cur, mapped));
  }
  return left;
}

std::uint64_t out_of_memory_kills(const std::string& root) {
  std::uint64_t kills = 0;
  for_each_group(root, [&](const auto& mount, const auto& group, const Version& version) {
    kills = std::max(kills, number_after(mount + group + "/" + version.events, "oom_kill ").value_or(0));
  });
  return kills;
}

} // namespace orbweaver
