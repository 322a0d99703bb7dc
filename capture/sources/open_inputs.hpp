// SPDX-License-Identifier: GPL-3.0-or-later
// What the user's -i stand for, opened as one source. At start-up, in the capture stage's thread.
#pragma once

#include "capture/sources/merged_source.hpp"
#include "capture/sources/open_source.hpp"

#include <memory>
#include <string>
#include <vector>

namespace orbweaver {

/// `given`: a SourceOptions::name each, patterns and folders of files among them; `options` says the rest. One input is
/// opened by itself, several are merged by time; one file or series is followed. Throws Error where not one can be
/// opened, and UsageError for an interface among others.
[[nodiscard]] std::unique_ptr<Source> open_inputs(const SourceOptions& options, const std::vector<std::string>& given,
                                                  const MergedSource::Voices& voices);

} // namespace orbweaver
