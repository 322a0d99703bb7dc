// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/trusted_file.hpp"

#include "common/error.hpp"

#include <array>
#include <cstdio>
#include <unistd.h>

namespace orbweaver {

namespace {

bool owner_fits(const struct stat& status, const FileTrust& wanted) noexcept {
  return status.st_uid == geteuid() || (wanted.of_root && status.st_uid == 0);
}

std::string mode_text(mode_t mode) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return text.data();
}

} // namespace

bool is_trusted(const struct stat& status, const FileTrust& wanted) noexcept {
  return (status.st_mode & S_IFMT) == wanted.type && owner_fits(status, wanted) &&
         (status.st_mode & wanted.refused) == 0;
}

std::string why_not_trusted(const struct stat& status, const FileTrust& wanted) {
  if ((status.st_mode & S_IFMT) != wanted.type)
    return S_ISLNK(status.st_mode)  ? "is a symbolic link, which is not followed: put there what it points to"
           : wanted.type == S_IFDIR ? "is no folder"
                                    : "is no regular file";
  const std::string owner = "belongs to user " + std::to_string(status.st_uid), mode = mode_text(status.st_mode);
  if (!owner_fits(status, wanted))
    return owner + " (mode " + mode + "), and only what belongs to user " + std::to_string(geteuid()) +
           (wanted.of_root && geteuid() != 0 ? " or to root" : "") +
           ", who runs this, is believed: remove it or chown it";
  if ((status.st_mode & wanted.refused) != 0)
    return "has mode " + mode + " (" + owner + "), and others may " +
           ((status.st_mode & 0022) != 0 ? "write it" : "read it") + ": chmod go-" +
           (wanted.refused == 0022 ? "w" : "rwx");
  return {};
}

FileDescriptor open_trusted(int folder, const std::string& name, int flags, const FileTrust& wanted, std::string& why) {
  FileDescriptor file(openat(folder, name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  const int error = file ? 0 : errno;
  struct stat status {};
  // What cannot be opened is judged by its name alone: it is not used, and its owner or its kind says more than errno.
  if ((file ? fstat(file.get(), &status) : fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW)) != 0) {
    why = error == ENOENT ? std::string() : "cannot be opened: " + errno_text(error != 0 ? error : errno);
    return FileDescriptor();
  }
  why = why_not_trusted(status, wanted);
  if (!file && why.empty())
    why = "cannot be opened: " + errno_text(error);
  return why.empty() ? std::move(file) : FileDescriptor();
}

} // namespace orbweaver
