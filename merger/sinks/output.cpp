// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/output.hpp"

#include "common/error.hpp"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

/// Whether a write that failed may be tried again: interrupted, or a pipe that somebody set not to block is full.
bool may_retry(int fd) noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) {
    pollfd ready{fd, POLLOUT, 0};
    poll(&ready, 1, -1);
    return true;
  }
  return errno == EINTR;
}

} // namespace

Output::Output(const std::string& path, std::string what, Appears appears)
    : buffer_(std::make_unique_for_overwrite<char[]>(buffer_bytes)), what_(std::move(what)) {
  namespace fs = std::filesystem;
  if (path.empty() || path == "-") {
    fd_ = STDOUT_FILENO;
    return;
  }
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::is_directory(status))
    throw Error("cannot write " + path + ": " + errno_text(EISDIR));
  renames_ = appears == Appears::complete && (!fs::exists(status) || fs::is_regular_file(status));
  // A link's target is replaced, not the link. What is no regular file may have no path of its own (a pipe in /dev/fd).
  path_ = renames_ && fs::exists(status) ? fs::canonical(path, error).string() : path;
  if (renames_)
    temporary_ = path_ + "." + std::to_string(getpid()) + ".tmp";
  const bool replaces = renames_ && fs::exists(status);
  const auto& opened = renames_ ? temporary_ : path_;
  begins_ = !renames_ && (!fs::exists(status) || fs::is_regular_file(status));
  is_ours_ = begins_ && !fs::exists(status);
  fd_ = open(opened.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (begins_ ? 0 : O_TRUNC), replaces ? 0600 : 0666);
  if (fd_ < 0)
    throw Error("cannot write " + path + ": " +
                (errno == EINTR ? "asked to end before anybody had opened it to read" : errno_text()));
  if (replaces) // who may read it does not change
    static_cast<void>(fchmod(fd_, static_cast<mode_t>(status.permissions() & fs::perms::all)));
}

Output::~Output() {
  if (fd_ >= 0 && !path_.empty())
    close(fd_);
  if (!temporary_.empty())
    unlink(temporary_.c_str());
  if (begins_ && is_ours_)
    unlink(path_.c_str());
}

/// What was in a growing file before goes.
void Output::begin() noexcept {
  if (std::exchange(begins_, false) && ftruncate(fd_, 0) != 0)
    fail(errno);
}

void Output::fail(int error) noexcept {
  if (error_ == 0)
    error_ = error;
}

void Output::write_line(std::string_view text, Line line) {
  for (; text.size() > buffer_bytes; text.remove_prefix(buffer_bytes)) {
    std::memcpy(claim(buffer_bytes), text.data(), buffer_bytes);
    fill_ = buffer_bytes;
  }
  char* const place = claim(text.size());
  std::memcpy(place, text.data(), text.size());
  commit(place + text.size(), line);
}

bool Output::flush() noexcept {
  if (fill_ > 0)
    begin();
  std::size_t done = 0;
  while (done < fill_ && !failed()) {
    const auto written = ::write(fd_, buffer_.get() + done, fill_ - done);
    if (written > 0)
      done += static_cast<std::size_t>(written);
    else if (written == 0)
      fail(EIO);
    else if (!may_retry(fd_))
      fail(errno);
  }
  if (failed())
    done -= cut_back(done);
  octets_written_ += done;
  for (const auto& mark : marks_)
    lines_written_[static_cast<std::size_t>(mark.line)] += mark.end <= done;
  marks_.clear();
  fill_ = 0;
  return !failed();
}

/// Of what was written last, `done` octets of the buffer: takes back what is no whole line where it went into a file
/// that ends there (full, or at its limit). Returns how many octets.
std::size_t Output::cut_back(std::size_t done) noexcept {
  const std::size_t end = std::string_view(buffer_.get(), done).rfind('\n');
  const std::size_t part = end == std::string_view::npos ? 0 : done - end - 1;
  const off_t at = part == 0 ? -1 : lseek(fd_, 0, SEEK_CUR);
  if (at < static_cast<off_t>(part) || ftruncate(fd_, at - static_cast<off_t>(part)) != 0)
    return 0;
  lseek(fd_, -static_cast<off_t>(part), SEEK_CUR);
  return part;
}

bool Output::finish() noexcept {
  begin();
  flush();
  if (!path_.empty() && fd_ >= 0 && close(std::exchange(fd_, -1)) != 0)
    fail(errno);
  if (temporary_.empty())
    return !failed();
  if (!failed() && rename(temporary_.c_str(), path_.c_str()) != 0)
    fail(errno);
  if (failed())
    unlink(temporary_.c_str());
  temporary_.clear();
  return !failed();
}

std::string Output::failure() const {
  if (!failed())
    return {};
  return "cannot write " + (path_.empty() ? "standard output" : path_) + ": " + errno_text(error_) + "; " +
         std::to_string(lines_written()) + " " + what_ + " written" +
         (renames_ ? " to its temporary file, which was removed" : "");
}

} // namespace orbweaver
