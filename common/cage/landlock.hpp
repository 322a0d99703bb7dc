// SPDX-License-Identifier: GPL-3.0-or-later
// Landlock: which files a process may open from now on, and whether it may use TCP. See landlock(7).
#pragma once

#include "common/cage/cage.hpp"
#include "common/file_descriptor.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// Rules that allow these paths, and where not `tcp` no TCP at all; signals and abstract sockets of processes outside
/// are out of reach too. Where the kernel has no Landlock there is no descriptor, and `missing` says so in words.
/// Throws Error where it has it and fails.
[[nodiscard]] FileDescriptor landlock_rules(const std::vector<CagePath>& paths, bool tcp, std::string& missing);

/// Restricts this thread, and those that it makes, by such rules. Needs no_new_privs. 0, or errno.
int restrict_by_landlock(int rules) noexcept;

} // namespace orbweaver
