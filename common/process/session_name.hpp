// SPDX-License-Identifier: GPL-3.0-or-later
// What a session may be called. Its name is a part of names of files and of sockets, and is read back from
// those of files: whoever takes it from there asks here. No state, any thread.
#pragma once

#include <algorithm>
#include <string_view>

namespace orbweaver {

/// 1 to 48 letters of ASCII, digits, dashes or underscores.
[[nodiscard]] constexpr bool session_name_fits(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 48 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

} // namespace orbweaver
