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
