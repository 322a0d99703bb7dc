// SPDX-License-Identifier: GPL-3.0-or-later
// What `orbweaver observe` and `orbweaver measure` both take: where results go, how flows end, and the processes.
#pragma once

#include "common/process/session.hpp"
#include "common/process/stage.hpp"

#include <string>
#include <vector>

namespace orbweaver {

struct RunOptions {
  unsigned observers = 1;
  std::vector<int> cpus;
  std::string output;         ///< empty: standard output
  std::string summary;        ///< empty: none
  bool rotates = false;       ///< the output is one file after another
  bool keeps = false;         ///< some of them only
  std::string rotate_command; ///< empty: none
  std::string session;        ///< empty: one of the process id
  unsigned packet_ring_mib = default_packet_ring_mib;
  unsigned flow_ring_mib = default_flow_ring_mib;
  std::string restart; ///< as given: a number, or "never"; empty: as often as by default
  bool huge_pages = false;
  bool busy_poll = false;
  std::string user;        ///< whose rights the stages keep; empty: ours
  bool no_sandbox = false; ///< no cages
  bool verbose = false;    ///< every message is printed
  std::string try_in_cage; ///< of a test build: STAGE:CALL
  /// Options that a stage understands better than we do, as they go on its command line.
  std::vector<std::string> capture_arguments;
  std::vector<std::string> merger_arguments;
  std::vector<std::string> observer_arguments;
};

} // namespace orbweaver
