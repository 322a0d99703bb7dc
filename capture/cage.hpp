// SPDX-License-Identifier: GPL-3.0-or-later
// What capture may still do once its source and its outputs are open.
#pragma once

#include "common/system/cage.hpp"

namespace orbweaver {

[[nodiscard]] CageRules capture_cage();

} // namespace orbweaver
