// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/observe_command.hpp"

#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/process/chain_list.hpp"
#include "common/process/output_target.hpp"
#include "common/process/stage.hpp"
#include "common/stream/endpoint.hpp"
#include "tools/run/chain_listing.hpp"
#include "tools/run/option_groups.hpp"
#include "tools/run/run.hpp"

#include <charconv>
#include <filesystem>
#include <system_error>

namespace orbweaver {

namespace {

void check(const ObserveOptions& options) {
  if (options.source.empty())
    throw UsageError("say what to read: -i SOURCE, an interface, a capture file or a libtrace URI");
  if (options.chains.empty())
    throw UsageError("name at least one chain, for example: basic tcp (orbweaver observe --list-chains tells all)");
  RunOptions files = options;
  files.output = parse_output(options.output, options.format).path;
  check_rotation(options, files.output);
  for (const auto& output : {files.output, files.summary})
    refuse_same_file(input_file(options.source), output);
  refuse_shared_output(files);
}

/// Only what goes on by itself can go on behind a gap.
bool is_live(const std::string& source) {
  std::error_code none;
  const auto after_format = source.substr(source.find(':') + 1);
  return source != "-" && input_file(source).empty() && !std::filesystem::exists(source, none) &&
         (after_format.starts_with("/dev/dag") || !std::filesystem::exists(after_format, none));
}

unsigned restarts_of(const ObserveOptions& options) {
  constexpr unsigned by_itself = 20, most = 1000;
  if (options.restart == "never")
    return 0;
  if (!options.restart.empty() && !is_live(options.source))
    throw UsageError("--restart is for interfaces: of a file or a pipe, what a stage that died was at cannot be read "
                     "again");
  if (options.restart.empty())
    return is_live(options.source) ? by_itself : 0;
  unsigned restarts = 0;
  const auto& text = options.restart;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), restarts);
  if (error != std::errc() || end != text.data() + text.size() || restarts == 0 || restarts > most)
    throw UsageError("--restart " + text + ": give a number of 1 to " + std::to_string(most) + ", or never");
  return restarts;
}

/// Beside the results, or where we are.
std::string poison_folder(const ObserveOptions& options) {
  const auto target = parse_output(options.output, options.format);
  const auto folder = std::filesystem::path(target.path).parent_path();
  return folder.empty() ? "." : folder.string();
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
  plan.restarts = restarts_of(options);
  plan.poison_folder = poison_folder(options);
  add_watchers(plan, options, options.source, options.chains, needs_of(options.chains, describe_chains()));
  std::vector<std::string> merger_arguments;
  if (options.digest)
    merger_arguments.emplace_back("--digest");
  if (!options.format.empty())
    merger_arguments.push_back("--format=" + options.format);
  add_merger(plan, options, merger_arguments, input_file(options.source).empty());
  return run(plan, options, {options.source, options.chains, options.observers, options.digest, {}, {}, {}});
}

} // namespace orbweaver
