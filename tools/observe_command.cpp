// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/observe_command.hpp"

#include "common/chain_list.hpp"
#include "common/endpoint.hpp"
#include "common/error.hpp"
#include "common/input_file.hpp"
#include "common/stage.hpp"
#include "tools/ledger.hpp"
#include "tools/pipeline.hpp"
#include "tools/progress.hpp"
#include "tools/summary.hpp"
#include "tools/supervisor.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

using File = std::unique_ptr<FILE, decltype(&std::fclose)>;

/// One line a chain: its name and its fields; a chain without fields says what it does.
int list_chains() {
  for (const auto& chain : describe_chains()) {
    std::string line = chain.name;
    line.resize(std::max<std::size_t>(chain.name.size() + 1, 8), ' ');
    for (const auto& field : chain.fields)
      line += field + (&field == &chain.fields.back() ? "" : " ");
    if (chain.fields.empty())
      line += "(" + chain.summary + ")";
    std::puts(line.c_str());
  }
  return std::fflush(stdout) == 0 ? exit_done : exit_failed;
}

void check(const ObserveOptions& options) {
  if (options.source.empty())
    throw UsageError("say what to read: -i SOURCE, an interface, a capture file or a libtrace URI");
  if (options.chains.empty())
    throw UsageError("name at least one chain, for example: basic tcp (orbweaver observe --list-chains tells all)");
  static_cast<void>(raw_bytes_of(options.chains, describe_chains())); // throws where one does not exist
  for (const auto& output : {options.output, options.summary})
    refuse_same_file(input_file(options.source), output);
}

/// Opened before the run, so that a place that cannot be written is told now and not at the end.
File open_summary(const std::string& path) {
  File file(path.empty() ? nullptr : std::fopen(path.c_str(), "we"), &std::fclose);
  if (!path.empty() && !file)
    throw Error("cannot write the summary to " + path + ": " + errno_text());
  return file;
}

void write_summary(File& file, const std::string& path, const std::string& text) {
  if (!file)
    return;
  const bool written = std::fputs(text.c_str(), file.get()) >= 0;
  if (std::fclose(file.release()) != 0 || !written)
    throw Error("cannot write the summary to " + path + ": " + errno_text());
}

/// A merger that was killed could not remove the file that it wrote before it has its name (see merger/output.hpp).
void remove_unfinished(const StageProcess& merger, const std::string& output) {
  if (merger.process.end_signal() == 0 || output.empty())
    return;
  namespace fs = std::filesystem;
  std::error_code none;
  const auto target = fs::exists(output, none) ? fs::canonical(output, none).string() : output;
  fs::remove(target + "." + std::to_string(merger.process.pid()) + ".tmp", none);
}

/// Whether the stages have all come to their end, so that the ledger must balance.
bool ledger_is_due(RunEnd end) {
  return end == RunEnd::complete || end == RunEnd::interrupted || end == RunEnd::input_failed;
}

void report_ledger(const Ledger& ledger, RunResult& result) {
  if (ledger.balanced())
    return;
  if (!ledger_is_due(result.end)) {
    spdlog::warn("packets or flows were lost where a stage ended early; the counters of the rest are right");
    return;
  }
  for (const auto& sum : ledger.sums)
    if (!sum.balanced())
      spdlog::error("the ledger does not balance: {}", sum.text());
  result.exit_status = exit_failed;
  if (result.reason.empty())
    result.reason = "the ledger does not balance";
}

} // namespace

int observe(const ObserveOptions& options) {
  if (options.list_chains)
    return list_chains();
  check(options);
  File summary = open_summary(options.summary);
  Pipeline pipeline(options);
  Progress progress(options.output.empty());
  auto result = Supervisor(pipeline, progress).run();
  remove_unfinished(pipeline.stages().back(), options.output);

  const auto snapshot = pipeline.snapshot();
  const auto ledger = draw_ledger(snapshot);
  const bool began = snapshot.stages.back().state != StageState::absent;
  if (began) {
    report_ledger(ledger, result);
    std::fprintf(stderr, "%s\n", closing_line(totals_of(snapshot)).c_str());
    if (options.digest)
      std::fprintf(stderr, "digest: %s\n", digest_of(snapshot).c_str());
  }
  write_summary(summary, options.summary, summary_json(options, result, snapshot, ledger));
  return result.exit_status;
}

} // namespace orbweaver
