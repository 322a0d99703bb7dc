// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/report/summary.hpp"

#include "config.hpp"

namespace orbweaver {

namespace {

void write_totals(json::Object& run, const Totals& totals) {
  run.add("packets", totals.packets)
      .add("dropped", totals.dropped)
      .add("short", totals.short_packets)
      .add("non_ip", totals.non_ip)
      .add("filtered", totals.filtered)
      .add("flows", totals.flows)
      .add("ignored", totals.ignored);
}

void write_job_totals(json::Object& run, const JobTotals& totals) {
  run.object("jobs")
      .add("taken", totals.taken)
      .add("unfinished", totals.unfinished)
      .add("not_routed", totals.not_routed)
      .add("bad_lines", totals.bad_lines)
      .add("duplicates", totals.duplicates);
  run.object("connections")
      .add("made", totals.connections)
      .add("ok", totals.ok)
      .add("failed", totals.failed)
      .add("timeout", totals.timeout)
      .add("skipped", totals.skipped)
      .add("discarded", totals.discarded)
      .add("observed", totals.observed);
  run.object("missed")
      .add("never_seen", totals.never_seen)
      .add("ring_drop", totals.ring_drop)
      .add("expired", totals.expired)
      .add("no_port", totals.no_port)
      .add("not_sent", totals.not_sent);
}

/// What happened on the way to each observer.
void write_packet_rings(json::Array rings, const Snapshot& snapshot, unsigned observers) {
  for (unsigned i = 0; i < observers; ++i)
    rings.object()
        .add("observer", i)
        .add("delivered", snapshot.sum(StageKind::capture, CaptureCounter::delivered_to + i))
        .add("dropped", snapshot.sum(StageKind::capture, CaptureCounter::dropped_on + i));
}

void write_ledger(json::Object object, const Ledger& ledger) {
  object.add("balanced", ledger.balanced());
  json::Array sums = object.array("sums");
  for (const auto& sum : ledger.sums)
    sums.object().add("sum", sum.name).add("left", sum.whole).add("right", sum.parts).add("balanced", sum.balanced());
}

/// Null where there is nothing to say.
std::optional<std::string_view> text_or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

/// The counters that a stage has once, then, where it has such, those that it has for each observer.
void write_counters(json::Object& object, const StageSnapshot& stage, std::size_t observers) {
  const auto infos = counters_of(stage.kind);
  {
    json::Object counters = object.object("counters");
    for (const auto& info : infos)
      if (!info.of_observers)
        counters.add(info.name, stage.counter(info.place));
  }
  if (!infos.back().of_observers)
    return;
  json::Object by_observer = object.object("by_observer");
  for (const auto& info : infos) {
    if (!info.of_observers)
      continue;
    json::Array values = by_observer.array(info.name);
    for (std::size_t i = 0; i < observers; ++i)
      values.add(stage.counter(info.place + i));
  }
}

void write_messages(json::Array messages, const StageSnapshot& stage) {
  const auto seconds = [](std::uint64_t ns) { return json::Decimal{static_cast<double>(ns) / 1e9, 3}; };
  for (const auto& message : stage.messages)
    messages.object()
        .add("level", to_string(message.level))
        .add("text", text_or_null(message.text))
        .add("count", message.count)
        .add("first_s", seconds(message.first_ns))
        .add("last_s", seconds(message.last_ns));
}

} // namespace

void write_stages(json::Array stages, const Snapshot& snapshot) {
  for (const auto& stage : snapshot.stages) {
    json::Object object = stages.object();
    object.add("stage", to_string(stage.kind)).add("index", stage.index).add("state", to_string(stage.state));
    write_counters(object, stage, snapshot.observers());
    write_messages(object.array("messages"), stage);
  }
}

std::string summary_json(const RunDescription& description, const RunResult& result, const Snapshot& snapshot,
                         const Ledger& ledger, const RotateCommand::Count* commands) {
  std::string text;
  {
    json::Object run(text, json::Layout::indented);
    run.add("version", ORBWEAVER_VERSION).add("source", text_or_null(description.source));
    run.array("chains").add_all(description.chains);
    if (!description.plugin.empty())
      run.add("plugin", description.plugin)
          .add("connect", text_or_null(description.connect))
          .add("input", description.jobs);
    run.add("end", to_string(result.end))
        .add("reason", text_or_null(result.reason))
        .add("exit_status", result.exit_status)
        .add("duration_s", json::Decimal{snapshot.age_s, 3});
    write_totals(run, totals_of(snapshot));
    if (!description.plugin.empty())
      write_job_totals(run, job_totals_of(snapshot));
    run.add("digest", text_or_null(description.digest ? digest_of(snapshot) : std::string()));
    write_packet_rings(run.array("packet_rings"), snapshot, description.observers);
    write_stages(run.array("stages"), snapshot);
    if (commands)
      run.object("rotate_commands")
          .add("run", commands->run)
          .add("failed", commands->failed)
          .add("not_run", commands->not_run);
    write_ledger(run.object("ledger"), ledger);
  }
  return text += '\n';
}

} // namespace orbweaver
