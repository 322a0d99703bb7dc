// SPDX-License-Identifier: GPL-3.0-or-later
// What an observer may still do once both its streams are open.
#pragma once

#include "common/cage/cage.hpp"

namespace orbweaver {

[[nodiscard]] CageRules observer_cage();

} // namespace orbweaver
