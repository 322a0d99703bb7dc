// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/run_plan.hpp"

#include "common/error.hpp"
#include "common/process/options/defaults.hpp"
#include "common/stream/records/needs.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace orbweaver {

namespace {

std::vector<std::string> joined(std::vector<std::string> list, const std::vector<std::string>& more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}

} // namespace

RunPlan empty_plan(const RunOptions& options) {
  RunPlan plan;
  plan.session = options.session;
  plan.cpus = options.cpus;
  plan.huge_pages = options.huge_pages;
  plan.busy_poll = options.busy_poll;
  plan.rotates = options.rotates;
  plan.user = options.user;
  plan.no_sandbox = options.no_sandbox;
  plan.verbose = options.verbose;
  plan.try_in_cage = options.try_in_cage;
  return plan;
}

void restart_stages(RunPlan& plan, const RunOptions& options, const std::string& output) {
  constexpr unsigned by_itself = 20, most = 1000;
  const auto& text = options.restart;
  plan.restarts = text.empty() ? by_itself : 0;
  if (!text.empty() && text != "never") {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), plan.restarts);
    if (error != std::errc() || end != text.data() + text.size() || plan.restarts == 0 || plan.restarts > most)
      throw UsageError("--restart " + text + ": give a number of 1 to " + std::to_string(most) + ", or never");
  }
  const auto folder = std::filesystem::path(output).parent_path();
  plan.poison_folder = folder.empty() ? "." : folder.string();
}

void add_watchers(RunPlan& plan, const RunOptions& options, const std::vector<std::string>& sources,
                  const std::vector<std::string>& chains, std::uint32_t needs) {
  StagePlan capture{StageKind::capture, 0, {}, {}, {}, {}};
  for (const auto& source : sources) {
    capture.streams.inherit_stdin = capture.streams.inherit_stdin || source == "-";
    capture.arguments.push_back("--input=" + source);
  }
  capture.arguments.push_back("--needs=" + needs_text(needs));
  capture.arguments = joined(std::move(capture.arguments), options.capture_arguments);
  for (unsigned i = 0; i < options.observers; ++i) {
    plan.rings.push_back({"packets", i, options.packet_ring_mib});
    capture.writes.push_back({"--out", "packets", i});
  }
  plan.stages.push_back(std::move(capture));
  for (unsigned i = 0; i < options.observers; ++i) {
    plan.rings.push_back({"flows", i, options.flow_ring_mib});
    StagePlan observer{StageKind::observer, i, {{"--in", "packets", i}}, {{"--out", "flows", i}}, {}, {}};
    observer.arguments =
        joined(joined({"--observers=" + std::to_string(options.observers)}, options.observer_arguments), chains);
    plan.stages.push_back(std::move(observer));
  }
}

void add_merger(RunPlan& plan, const RunOptions& options, const std::vector<std::string>& arguments, bool grows) {
  StagePlan merger{StageKind::merger, 0, {}, {}, {}, {}};
  merger.streams.inherit_stdout = true;
  const bool says_sync = std::ranges::any_of(
      options.merger_arguments, [](const std::string& argument) { return argument.starts_with("--sync="); });
  if (grows && !says_sync)
    merger.arguments = {"--sync=" + std::to_string(default_sync_s)};
  if (grows && plan.leader == StageKind::capture)
    merger.arguments.emplace_back("--grow");
  merger.arguments = joined(joined(merger.arguments, options.merger_arguments), arguments);
  if (!options.output.empty())
    merger.arguments.push_back("--output=" + options.output);
  for (const auto& ring : plan.rings)
    if (ring.stream != "packets")
      merger.reads.push_back({"--" + ring.stream, ring.stream, ring.index});
  plan.stages.push_back(std::move(merger));
}

} // namespace orbweaver
