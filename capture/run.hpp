// SPDX-License-Identifier: GPL-3.0-or-later
// What orbweaver-capture does once its command line is read. Warnings and the errors of a run go to the log.
#pragma once

#include "capture/options.hpp"

namespace orbweaver {

/// Opens the source and the outputs, captures to the end, and returns the exit status. Throws Error, and UsageError for
/// arguments that do not fit together.
int run_capture(const CaptureArguments& arguments);

} // namespace orbweaver
