// SPDX-License-Identifier: GPL-3.0-or-later
// What the spider may still do once its jobs, its ring and, where it forges, its raw sockets are open, and what changes
// the system is a process of its own (system_helper.hpp).
#pragma once

#include "common/cage/cage.hpp"

namespace orbweaver {

[[nodiscard]] CageRules spider_cage();

} // namespace orbweaver
