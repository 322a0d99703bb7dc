// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver filter`: jobs in, each target once, NDJSON jobs out. The spider's program reads jobs; this runs it.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace orbweaver {

struct FilterOptions {
  std::vector<std::string> spider_arguments;
};

/// Adds `filter` to the front command; `options` must outlive it.
CLI::App& add_filter_command(CLI::App& front, FilterOptions& options);

/// Becomes the spider's program; comes back only by an Error.
int filter(const FilterOptions& options);

} // namespace orbweaver
