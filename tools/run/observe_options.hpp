// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of `orbweaver observe`.
#pragma once

#include "tools/run/run_options.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace orbweaver {

struct ObserveOptions : RunOptions {
  std::string source;
  std::vector<std::string> chains;
  std::string format; ///< empty: what the output says
  bool digest = false;
  bool list_chains = false;
};

/// Adds `observe` with its options to the front command; `options` must outlive it.
CLI::App& add_observe_command(CLI::App& front, ObserveOptions& options);

} // namespace orbweaver
