// SPDX-License-Identifier: GPL-3.0-or-later
// Jobs in, each target once, NDJSON jobs out: what `orbweaver filter` does. One thread.
#pragma once

#include "spider/jobs/job_reader.hpp"

#include <cstdint>
#include <cstdio>
#include <optional>

namespace orbweaver {

/// Writes every job that `jobs` gives as a line; with `port` as its `dp`, else as it came. Waits for a pipe that has
/// nothing yet. Throws Error where the input cannot be read to its end, or the output cannot be written.
void filter_jobs(JobReader& jobs, std::optional<std::uint16_t> port, std::FILE* out);

} // namespace orbweaver
