// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of orbweaver-capture, and what follows from it before anything is opened. At start-up.
#pragma once

#include "capture/packet_clock.hpp"
#include "capture/sources/open_source.hpp"
#include "common/process/options/command_line.hpp"
#include "common/process/stage.hpp"
#include "common/stream/endpoint.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

/// What the user gave.
struct CaptureArguments {
  StageOptions stage;
  std::vector<std::string> inputs;
  SourceOptions source; ///< of each; its reader: source_options()
  std::vector<std::string> outputs;
  std::vector<std::string> chains;
  std::string flow_key = "five-tuple";
  std::string decapsulate; ///< empty: nothing
  std::uint32_t deduplicate_ms = 0;
  std::string needs; ///< as needs_text() writes them; from the front command, which has asked what the chains need
  std::string filter;
  std::string reader = "auto";
  std::string on_link_loss = "wait";
  std::uint64_t count = 0;
  std::uint64_t clock_tolerance_s = default_clock_tolerance_s;
  unsigned ring_mib = default_packet_ring_mib;
};

/// Adds all options. `arguments` must outlive the app.
void add_arguments(CommandLine& app, CaptureArguments& arguments);

/// How sources are read, with the reader. Throws UsageError for a reader that there is not.
[[nodiscard]] SourceOptions source_options(const CaptureArguments& arguments);

/// Where packets go. Throws UsageError where outputs are too many, the same, or what is to be read.
[[nodiscard]] std::vector<Endpoint> choose_outputs(const CaptureArguments& arguments);

/// What the observers will need of packets (Need): all where no chain is named. Throws UsageError for a chain that
/// there is not.
[[nodiscard]] std::uint32_t needs_of(const CaptureArguments& arguments);

} // namespace orbweaver
