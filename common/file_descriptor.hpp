// SPDX-License-Identifier: GPL-3.0-or-later
// A descriptor that closes itself. One owner; any thread.
#pragma once

#include <unistd.h>
#include <utility>

namespace orbweaver {

class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) noexcept : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other)
      reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~FileDescriptor() { reset(); }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0)
      close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_;
};

} // namespace orbweaver
