// SPDX-License-Identifier: GPL-3.0-or-later
// Text that came from outside, as a message may hold it. Any thread.
#pragma once

#include <algorithm>
#include <cctype>
#include <string>

namespace orbweaver {

/// The same without line ends, and without what a terminal would obey: spaces stand for control characters.
[[nodiscard]] inline std::string printable(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return text;
}

} // namespace orbweaver
