// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/growing_input.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

GrowingInput::~GrowingInput() {
  close(descriptor_);
}

bool GrowingInput::begun_anew() const noexcept {
  struct stat status {};
  if (fstat(descriptor_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < read_)
    return true;
  std::array<std::uint8_t, head_octets> now{};
  const std::size_t octets = std::min<std::uint64_t>(read_, head_octets);
  return pread(descriptor_, now.data(), octets, 0) != static_cast<ssize_t>(octets) ||
         !std::equal(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(octets), head_.begin());
}

Input::More GrowingInput::fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept {
  if (at_end_ && begun_anew()) // nothing that stands there now belongs to what was read
    return complete_ ? More::end : More::idle;
  const ssize_t got = read(descriptor_, at, room);
  if (got < 0 && errno != EINTR)
    return fail("cannot be read: " + errno_text());
  at_end_ = got == 0;
  if (got <= 0)
    return at_end_ && complete_ ? More::end : More::idle;
  filled = static_cast<std::size_t>(got);
  if (read_ < head_octets)
    std::copy_n(at, std::min<std::uint64_t>(filled, head_octets - read_),
                head_.begin() + static_cast<std::ptrdiff_t>(read_));
  read_ += filled;
  return More::more;
}

} // namespace orbweaver
