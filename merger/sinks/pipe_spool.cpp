// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/pipe_spool.hpp"

#include "common/process/files/kept_memory.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

PipeSpool::PipeSpool(int fd, std::uint64_t begin) noexcept : fd_(fd), end_(begin), given_back_(begin) {
  if (moved() < begin)
    lseek(fd_, static_cast<off_t>(begin), SEEK_SET);
}

bool PipeSpool::takes(int output) noexcept {
  struct stat status {};
  rlimit limit{};
  return fstat(output, &status) == 0 && S_ISFIFO(status.st_mode) && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
         limit.rlim_cur == RLIM_INFINITY;
}

int PipeSpool::add(std::string_view lines) noexcept {
  while (!lines.empty()) {
    const auto written = pwrite(fd_, lines.data(), lines.size(), static_cast<off_t>(end_));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return written < 0 ? errno : EIO;
    end_ += static_cast<std::uint64_t>(written);
    lines.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

std::uint64_t PipeSpool::moved() const noexcept {
  const auto at = lseek(fd_, 0, SEEK_CUR);
  return at > 0 ? static_cast<std::uint64_t>(at) : 0;
}

int PipeSpool::move(int output) noexcept {
  const auto from = moved();
  if (from >= end_)
    return 0;
  const auto done = sendfile(output, fd_, nullptr, end_ - from);
  if (done <= 0)
    return done < 0 ? errno : EIO;
  // The pipe has the pages themselves: what is moved is not written over, and its memory goes with the last of both. Of
  // a huge page the kernel gives back all, or overwrites a part.
  const auto whole = (from + static_cast<std::uint64_t>(done)) / huge_page_octets * huge_page_octets;
  if (whole > given_back_ && fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(given_back_),
                                       static_cast<off_t>(whole - given_back_)) == 0)
    given_back_ = whole;
  return 0;
}

} // namespace orbweaver
