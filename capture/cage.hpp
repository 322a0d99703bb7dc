// SPDX-License-Identifier: GPL-3.0-or-later
// What capture may still do once its source and its outputs are open.
#pragma once

#include "capture/options.hpp"
#include "capture/sources/source.hpp"
#include "common/cage/cage.hpp"

namespace orbweaver {

/// An interface may go away and come back, so that its sockets are opened anew; of several files some are opened later.
[[nodiscard]] CageRules capture_cage(const CaptureArguments& arguments, const Source& source);

} // namespace orbweaver
