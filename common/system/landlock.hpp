// SPDX-License-Identifier: GPL-3.0-or-later
// Landlock: which files a process may open from now on, and whether it may use TCP. See landlock(7).
#pragma once

#include "common/system/cage.hpp"

#include <string>
#include <vector>

namespace orbweaver {

/// Restricts this thread, and those that it makes, to these paths, and where not `tcp` to no TCP at all. Returns what
/// the kernel cannot do, in words; throws Error where it can and fails. Needs no_new_privs.
[[nodiscard]] std::string restrict_by_landlock(const std::vector<CagePath>& paths, bool tcp);

} // namespace orbweaver
