// SPDX-License-Identifier: GPL-3.0-or-later
// Result files, which may be compressed with bzip2: read line by line, and compressed for sending.
#pragma once

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace orbweaver {

/// Whether the name says that the file is compressed.
[[nodiscard]] inline bool is_bzip2_name(const std::string& path) noexcept {
  return path.ends_with(".bz2");
}

/// Calls `line` for each line, without its end; decompresses a file whose name ends with ".bz2", which may consist of
/// several streams. Throws Error (file, what was wrong) where it cannot be read to its end.
void for_each_line(const std::string& path, const std::function<void(std::string_view line)>& line);

/// Throws Error where that is no regular file that can be read; where it looks like TAG:VALUE, it says to what that
/// belongs (`tag_option`).
void check_readable(const std::string& path, const std::string& tag_option);

using FilePointer = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// The file compressed, in an unnamed temporary file that is read from its start; one that is compressed already as it
/// is. Throws Error.
[[nodiscard]] FilePointer compressed(const std::string& path);

} // namespace orbweaver
