// SPDX-License-Identifier: GPL-3.0-or-later
// What the merger may still do once its streams and its output are open.
#pragma once

#include "common/cage/cage.hpp"

#include <string>

namespace orbweaver {

/// `output` is the file that it writes; empty or "-": standard output. Only its folder can be written.
[[nodiscard]] CageRules merger_cage(const std::string& output);

} // namespace orbweaver
