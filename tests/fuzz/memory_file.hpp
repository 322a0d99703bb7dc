// SPDX-License-Identifier: GPL-3.0-or-later
// Files for what is fuzzed: filled anew for each input.
#pragma once

#include "common/stream/endpoint.hpp"

#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace orbweaver::test {

/// By its descriptor, which it owns as long as the process lives.
class FuzzFile {
public:
  void fill(std::string_view content) const {
    if (ftruncate(fd_, 0) != 0 ||
        pwrite(fd_, content.data(), content.size(), 0) != static_cast<ssize_t>(content.size()))
      std::abort();
  }
  [[nodiscard]] std::string content() const {
    std::string text(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
    if (pread(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      std::abort();
    return text;
  }

protected:
  explicit FuzzFile(int fd) : fd_(fd) {
    if (fd < 0)
      std::abort();
  }
  int fd_;
};

/// A file in memory, read by its path.
class MemoryFile : public FuzzFile {
public:
  MemoryFile() : FuzzFile(memfd_create("fuzz", MFD_CLOEXEC)) {}
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  [[nodiscard]] Endpoint endpoint() const { return {Endpoint::Kind::file, path()}; }
};

} // namespace orbweaver::test
