// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/observe_command.hpp"

#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/input_list.hpp"
#include "common/process/files/output_target.hpp"
#include "common/process/options/chain_list.hpp"
#include "common/process/stage.hpp"
#include "common/stream/endpoint.hpp"
#include "tools/run/options/chain_listing.hpp"
#include "tools/run/options/option_groups.hpp"
#include "tools/run/run.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace orbweaver {

namespace {

void check(const ObserveOptions& options) {
  if (options.sources.empty() || std::ranges::count(options.sources, "") != 0)
    throw UsageError("say what to read: -i SOURCE, an interface, a capture file or a libtrace URI");
  if (options.chains.empty())
    throw UsageError("name at least one chain, for example: basic tcp (orbweaver observe --list-chains tells all)");
  RunOptions files = options;
  files.output = parse_output(options.output, options.format).path;
  check_rotation(options, files.output);
  for (const auto& input : list_inputs(options.sources).inputs)
    for (const auto& output : {files.output, files.summary})
      refuse_same_file(input_file(input.name), output);
  refuse_shared_output(files);
}

/// Only what goes on by itself can go on behind a gap.
bool is_live(const std::vector<std::string>& sources) {
  if (sources.size() != 1 || is_pattern(sources.front()))
    return false; // interfaces are read alone
  std::error_code none;
  const auto& source = sources.front();
  const auto after_format = source.substr(source.find(':') + 1);
  return source != "-" && input_file(source).empty() && !std::filesystem::exists(source, none) &&
         (after_format.starts_with("/dev/dag") || !std::filesystem::exists(after_format, none));
}

/// Whether packets may be gone once they were read.
bool come_but_once(const std::vector<std::string>& sources) {
  const auto inputs = list_inputs(sources).inputs;
  return std::ranges::any_of(inputs, [](const ListedInput& input) { return input_file(input.name).empty(); });
}

std::string text_of(const std::vector<std::string>& sources) {
  std::string text;
  for (const auto& source : sources)
    text += (text.empty() ? "" : ", ") + source;
  return text;
}

} // namespace

int observe(const ObserveOptions& options) {
  if (options.list_chains) {
    const auto chains = describe_chains();
    print(options.json ? chain_listing_json(chains) : chain_listing(chains));
    return exit_done;
  }
  if (options.json)
    throw UsageError("--json goes with --list-chains");
  check(options);
  RunPlan plan = empty_plan(options);
  if (!options.restart.empty() && options.restart != "never" && !is_live(options.sources))
    throw UsageError("--restart is for interfaces: of a file or a pipe, what a stage that died was at cannot be read "
                     "again");
  if (is_live(options.sources))
    restart_stages(plan, options, parse_output(options.output, options.format).path);
  add_watchers(plan, options, options.sources, options.chains, needs_of(options.chains, describe_chains()));
  if (options.follow)
    plan.stages.front().arguments.emplace_back("--follow");
  std::vector<std::string> merger_arguments;
  if (options.digest)
    merger_arguments.emplace_back("--digest");
  if (!options.format.empty())
    merger_arguments.push_back("--format=" + options.format);
  add_merger(plan, options, merger_arguments, options.follow || come_but_once(options.sources));
  return run(plan, options, {text_of(options.sources), options.chains, options.observers, options.digest, {}, {}, {}});
}

} // namespace orbweaver
