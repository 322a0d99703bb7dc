// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel keeps rights by the thread. A library may have started one before the cage (libtrace's reader of files
// does): it has to give them up too.
#pragma once

#include <cstddef>

namespace orbweaver {

/// Runs `act`, which may only do what a signal's handler may, in each thread of the process but this one. Returns how
/// many did not answer within a second. No thread may start meanwhile.
[[nodiscard]] std::size_t run_in_other_threads(void (*act)() noexcept);

} // namespace orbweaver
