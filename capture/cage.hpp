// SPDX-License-Identifier: GPL-3.0-or-later
// What capture may still do once its source and its outputs are open.
#pragma once

#include "capture/sources/open_source.hpp"
#include "common/cage/cage.hpp"

namespace orbweaver {

/// `live`: the source is an interface, which may go away and come back, so that its sockets are opened anew.
[[nodiscard]] CageRules capture_cage(const SourceOptions& source, bool live);

} // namespace orbweaver
