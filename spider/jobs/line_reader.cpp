// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/line_reader.hpp"

#include "common/error.hpp"

#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

namespace orbweaver {

LineReader::LineReader(const std::string& path)
    : name_(path == "-" ? "standard input" : path), buffer_(max_line_octets + read_octets + slack_octets) {
  // A copy of standard input: its flags are shared with others and stay as they are.
  input_.reset(path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!input_ || fstat(input_.get(), &status) != 0)
    throw UsageError("cannot read " + name_ + ": " + errno_text());
  if (S_ISDIR(status.st_mode))
    throw UsageError("cannot read " + name_ + ": it is a folder");
  if (S_ISREG(status.st_mode))
    size_ = static_cast<std::uint64_t>(status.st_size);
}

bool LineReader::fill() {
  pollfd readable{input_.get(), POLLIN, 0};
  if (poll(&readable, 1, 0) <= 0)
    return false;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_, scanned_ -= begin_, begin_ = 0;
  }
  const auto got = read(input_.get(), buffer_.data() + end_, read_octets);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return false;
  if (got < 0)
    problem_ = name_ + ", line " + std::to_string(number_ + 1) + ": cannot read on: " + errno_text();
  if (got <= 0)
    ended_ = true;
  else
    end_ += static_cast<std::size_t>(got);
  return true;
}

LineReader::Next LineReader::give(std::string_view& line, std::size_t length, std::size_t line_end) {
  ++number_;
  position_ += length + line_end;
  line = {buffer_.data() + begin_, length};
  begin_ = scanned_ = begin_ + length + line_end;
  const bool too_long = std::exchange(skipping_, false) || length > max_line_octets;
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return too_long ? Next::too_long : Next::line;
}

LineReader::Next LineReader::next(std::string_view& line) {
  for (;;) {
    const void* const found = std::memchr(buffer_.data() + scanned_, '\n', end_ - scanned_);
    if (found)
      return give(line, static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) - begin_, 1);
    scanned_ = end_;
    if (end_ - begin_ > max_line_octets) {
      position_ += end_ - begin_;
      begin_ = scanned_ = end_ = 0;
      skipping_ = true;
    }
    if (ended_)
      return end_ > begin_ || skipping_ ? give(line, end_ - begin_, 0) : Next::end;
    if (!fill())
      return Next::wait;
    if (skipping_)
      return Next::skipped;
  }
}

} // namespace orbweaver
