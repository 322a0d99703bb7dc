// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/stats/stats_formats.hpp"

#include <spdlog/fmt/fmt.h>

namespace orbweaver {

namespace {

constexpr std::string_view beginning = R"(# Counters

What each stage counts. `orbweaver stats --json` and `--summary` have these names; in Prometheus' text a counter is
`orbweaver_STAGE_NAME` with the labels `session` and `index`, and a time in nanoseconds, `NAME_ns`, is `NAME_seconds`.
A counter never falls, a gauge may.

This page is printed by `orbweaver stats --describe-counters` from the tables in `common/process/counters/`; a counter is
a line there.
)";

std::string row(const CounterInfo& info) {
  return fmt::format("| `{}` | {} | {} | {}{} |\n", info.name, info.kind == CounterKind::gauge ? "gauge" : "counter",
                     info.unit, info.help, info.of_observers ? " (one for each observer)" : "");
}

} // namespace

std::string counters_document() {
  std::string text(beginning);
  for (const auto kind : all_stage_kinds) {
    text += fmt::format("\n## {}\n\n| name | kind | unit | meaning |\n| --- | --- | --- | --- |\n", to_string(kind));
    for (const auto& info : counters_of(kind))
      text += row(info);
  }
  return text;
}

} // namespace orbweaver
