// SPDX-License-Identifier: GPL-3.0-or-later
// How much memory this process may still take: what the machine has left, or what the limits of its control group do,
// whichever is less. At start-up.
#pragma once

#include <cstdint>
#include <string>

namespace orbweaver {

/// Octets. The machine's MemAvailable, and for each memory control group from the process's own up to the root what is
/// left below memory.max and memory.high (version 2), or below memory.limit_in_bytes (version 1); of what counts
/// against a limit, the pages of files that can be dropped at once count as left. RLIMIT_AS less what is mapped bounds
/// it too. 1 GiB where nothing can be found out. `root` stands before /proc and /sys, for tests.
[[nodiscard]] std::uint64_t memory_left(const std::string& root = {});

/// How many processes of this process's control group, or of one below it, the kernel has ended because the group's
/// memory ran out; 0 where that cannot be found out.
[[nodiscard]] std::uint64_t out_of_memory_kills(const std::string& root = {});

} // namespace orbweaver
