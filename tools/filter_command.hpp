// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver filter`: jobs in, each target once, NDJSON jobs out. The spider's program reads jobs; this runs it.
#pragma once

#include "common/process/options/command_line.hpp"

#include <string>
#include <vector>

namespace orbweaver {

struct FilterOptions {
  std::vector<std::string> spider_arguments;
};

/// Adds `filter` to the front command; `options` must outlive it.
CommandLine& add_filter_command(CommandLine& front, FilterOptions& options);

/// Becomes the spider's program; comes back only by an Error.
int filter(const FilterOptions& options);

} // namespace orbweaver
