// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver observe`: one passive run from its command line to its exit status.
#pragma once

#include "tools/run/options/observe_options.hpp"

namespace orbweaver {

/// Runs it and returns the exit status. Throws Error for what stands in the way of a start.
int observe(const ObserveOptions& options);

} // namespace orbweaver
