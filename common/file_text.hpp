// SPDX-License-Identifier: GPL-3.0-or-later
// All of a small file as text, by its descriptor. No state, any thread.
#pragma once

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <unistd.h>

namespace orbweaver {

/// False: errno says why, and a part may have been written.
[[nodiscard]] inline bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const auto written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR)
      return false;
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return true;
}

/// From the file's beginning, wherever its descriptor stands; up to the first error.
[[nodiscard]] inline std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (off_t at = 0;;) {
    const auto got = pread(fd, buffer.data(), buffer.size(), at);
    if (got <= 0)
      return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    at += got;
  }
}

} // namespace orbweaver
