// SPDX-License-Identifier: GPL-3.0-or-later
// Outputs that zstd compresses (RFC 8878) are one frame after another, each of whole lines: what stands behind the last
// whole frame, where a run was killed, is cut off as half a line is. No state, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace orbweaver {

/// Cuts off what stands behind the last whole frame of a regular file, or nothing where it does not begin with a frame;
/// returns how many octets that were.
std::uint64_t cut_to_frame(int fd) noexcept;

/// The first line of what the file's first frame has, without its newline; at most `most` octets of it.
[[nodiscard]] std::string first_line_of_frame(int fd, std::size_t most);

} // namespace orbweaver
