// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of `orbweaver observe`.
#pragma once

#include "common/session.hpp"
#include "common/stage.hpp"

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace orbweaver {

struct ObserveOptions {
  std::string source;
  std::vector<std::string> chains;
  unsigned observers = 1;
  std::vector<int> cpus;
  std::string output;  ///< empty: standard output
  std::string summary; ///< empty: none
  std::string session; ///< empty: one of the process id
  unsigned packet_ring_mib = default_packet_ring_mib;
  unsigned flow_ring_mib = default_flow_ring_mib;
  bool huge_pages = false;
  bool busy_poll = false;
  bool digest = false;
  bool list_chains = false;
  /// Options that a stage understands better than we do, as they go on its command line.
  std::vector<std::string> capture_arguments;
  std::vector<std::string> observer_arguments;
};

/// Adds `observe` with its options to the front command; `options` must outlive it.
CLI::App& add_observe_command(CLI::App& front, ObserveOptions& options);

} // namespace orbweaver
