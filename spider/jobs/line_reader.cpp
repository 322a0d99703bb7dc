// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/line_reader.hpp"

#include "common/error.hpp"
#include "common/process/files/kept_memory.hpp"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

LineReader::LineReader(const std::string& path, const TapeMemory& tape)
    : name_(path == "-" ? "standard input" : path), tape_(tape), is_kept_(tape.state != nullptr) {
  // A copy of standard input: its flags are shared with others and stay as they are.
  input_.reset(path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!input_ || fstat(input_.get(), &status) != 0)
    throw UsageError("cannot read " + name_ + ": " + errno_text());
  if (S_ISDIR(status.st_mode))
    throw UsageError("cannot read " + name_ + ": it is a folder");
  is_file_ = S_ISREG(status.st_mode);
  if (is_file_) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    const auto at = lseek(input_.get(), 0, SEEK_CUR); // whoever opened standard input may have read of it
    position_ = kept_from_ = at > 0 ? static_cast<std::uint64_t>(at) : 0;
  }
  if (!is_kept_) {
    constexpr std::size_t room = half_octets + slack_octets;
    own_halves_.resize(2 * room);
    tape_ = {&own_state_, {std::span(own_halves_).first(room), std::span(own_halves_).last(room)}};
  }
  if (std::exchange(tape_.state->has_begun, 1) == 0)
    tape_.state->begin = tape_.state->halves[0].from = position_;
}

void LineReader::resume(std::uint64_t position_octets, std::uint64_t number) {
  position_octets = std::max(position_octets, tape_.state->begin);
  number_ = number;
  position_ = kept_from_ = position_octets;
  auto& left = half();
  if (is_file_) {
    left = {position_octets, 0, 0};
    if (lseek(input_.get(), static_cast<off_t>(position_octets), SEEK_SET) < 0)
      throw Error("cannot read " + name_ + " on where a predecessor stopped: " + errno_text());
    return;
  }
  if (left.octets > half_octets)
    throw Error(name_ + ": what a predecessor left of it does not fit");
  // It may have died between its reading and its counting: what it read is no zero, but for the last of it.
  auto end = std::min<std::size_t>(left.octets + read_octets, half_octets);
  while (end > left.octets && octets()[end - 1] == '\0')
    --end;
  left.octets = end;
  const bool is_there = position_octets >= left.from && position_octets - left.from <= left.octets;
  begin_ = scanned_ = is_there ? position_octets - left.from : 0;
  skipping_ = !is_there && left.is_rest != 0;
  position_ = kept_from_ = left.from + begin_;
}

void LineReader::turn_over() noexcept {
  const auto& full = half();
  const char* const from = octets();
  std::size_t needed = begin_;
  if (is_kept_ && kept_from_ >= full.from && kept_from_ < full.from + begin_)
    needed = kept_from_ - full.from;
  if (full.octets - needed + read_octets > half_octets) // bad lines alone, since the last job
    needed = begin_;
  const auto next = (tape_.state->at_work + 1) % 2;
  std::copy(from + needed, from + full.octets, tape_.halves[next].data());
  tape_.state->halves[next] = {full.from + needed, full.octets - needed, skipping_ && needed == begin_};
  in_order();
  tape_.state->at_work = next;
  begin_ -= needed;
  scanned_ -= needed;
}

bool LineReader::fill() {
  pollfd readable{input_.get(), POLLIN, 0};
  if (poll(&readable, 1, 0) <= 0)
    return false;
  if (half().octets + read_octets > half_octets)
    turn_over();
  auto& filled = half();
  char* const place = octets() + filled.octets;
  if (is_kept_)
    std::memset(place, 0, read_octets); // resume() tells by it
  const auto got = read(input_.get(), place, read_octets);
  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return false;
  if (got < 0)
    problem_ = name_ + ", line " + std::to_string(number_ + 1) + ": cannot read on: " + errno_text();
  if (got <= 0)
    ended_ = true;
  else
    filled.octets += static_cast<std::size_t>(got);
  return true;
}

LineReader::Next LineReader::give(std::string_view& line, std::size_t length, std::size_t line_end) {
  ++number_;
  position_ += length + line_end;
  line = {octets() + begin_, length};
  begin_ = scanned_ = begin_ + length + line_end;
  const bool too_long = std::exchange(skipping_, false) || length > max_line_octets;
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return too_long ? Next::too_long : Next::line;
}

LineReader::Next LineReader::next(std::string_view& line) {
  for (;;) {
    const auto end = half().octets;
    const void* const found = std::memchr(octets() + scanned_, '\n', end - scanned_);
    if (found)
      return give(line, static_cast<std::size_t>(static_cast<const char*>(found) - octets()) - begin_, 1);
    scanned_ = end;
    if (end - begin_ > max_line_octets) {
      position_ += end - begin_;
      begin_ = end;
      skipping_ = true;
    }
    if (ended_)
      return end > begin_ || skipping_ ? give(line, end - begin_, 0) : Next::end;
    if (!fill())
      return Next::wait;
    if (skipping_)
      return Next::skipped;
  }
}

} // namespace orbweaver
