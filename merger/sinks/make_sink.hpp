// SPDX-License-Identifier: GPL-3.0-or-later
// The sinks that there are: one line in make_sink.cpp for each of output_formats. Owned by the merger; no state.
#pragma once

#include "common/process/files/output_target.hpp"
#include "merger/sinks/output.hpp"
#include "merger/sinks/sink.hpp"

#include <memory>

namespace orbweaver {

/// A sink that writes in that format to that path; the policy outlives it. Throws Error where it cannot.
[[nodiscard]] std::unique_ptr<Sink> make_sink(const OutputTarget& target,
                                              const OutputPolicy& policy = Output::default_policy);

} // namespace orbweaver
