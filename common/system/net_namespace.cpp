// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/net_namespace.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

namespace {

/// The inode of the namespace of a process; 0 where it is gone, or nobody may know. Processes that are hidden even from
/// root are not those that a measurement shares a namespace with.
std::uint64_t inode_of(const std::string& process, bool& hidden) {
  struct stat status {};
  if (stat((process + "/ns/net").c_str(), &status) == 0)
    return status.st_ino;
  hidden = hidden || (geteuid() != 0 && (errno == EACCES || errno == EPERM));
  return 0;
}

/// Whether a mount that the process sees keeps a namespace: `… net:[INODE] /run/netns/name …`.
bool mounted(const std::string& process, std::uint64_t inode) {
  const std::string root = " net:[" + std::to_string(inode) + "] ";
  std::ifstream mounts(process + "/mountinfo");
  for (std::string line; std::getline(mounts, line);)
    if (line.find(root) != line.npos)
      return true;
  return false;
}

} // namespace

NetNamespace NetNamespace::current() {
  NetNamespace here;
  bool hidden = false;
  here.inode = inode_of("/proc/self", hidden);
  if (const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); fd >= 0) {
#ifdef SO_NETNS_COOKIE
    socklen_t length = sizeof here.cookie;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &here.cookie, &length) != 0)
      here.cookie = 0;
#endif
    close(fd);
  }
  return here;
}

bool NetNamespace::exists() const {
  const NetNamespace here = current();
  if (inode == here.inode)
    return cookie == here.cookie;
  bool hidden = false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); }))
      continue;
    if (inode_of(entry.path().string(), hidden) == inode || mounted(entry.path().string(), inode))
      return true;
  }
  return hidden || error;
}

} // namespace orbweaver
