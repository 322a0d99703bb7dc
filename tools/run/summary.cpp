// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/run/summary.hpp"

#include "config.hpp"
#include "tools/json_writer.hpp"

namespace orbweaver {

namespace {

void write_totals(JsonWriter& json, const Totals& totals) {
  json.key("packets").value(totals.packets);
  json.key("dropped").value(totals.dropped);
  json.key("short").value(totals.short_packets);
  json.key("non_ip").value(totals.non_ip);
  json.key("flows").value(totals.flows);
  json.key("ignored").value(totals.ignored);
}

void write_job_totals(JsonWriter& json, const JobTotals& totals) {
  json.key("jobs").begin_object();
  json.key("taken").value(totals.taken);
  json.key("unfinished").value(totals.unfinished);
  json.key("bad_lines").value(totals.bad_lines);
  json.key("duplicates").value(totals.duplicates);
  json.end_object();
  json.key("connections").begin_object();
  json.key("made").value(totals.connections);
  json.key("ok").value(totals.ok);
  json.key("failed").value(totals.failed);
  json.key("timeout").value(totals.timeout);
  json.key("skipped").value(totals.skipped);
  json.key("discarded").value(totals.discarded);
  json.key("observed").value(totals.observed);
  json.end_object();
  json.key("missed").begin_object();
  json.key("never_seen").value(totals.never_seen);
  json.key("ring_drop").value(totals.ring_drop);
  json.key("expired").value(totals.expired);
  json.key("no_port").value(totals.no_port);
  json.end_object();
}

/// What happened on the way to each observer.
void write_packet_rings(JsonWriter& json, const Snapshot& snapshot, unsigned observers) {
  json.begin_array();
  for (unsigned i = 0; i < observers; ++i) {
    json.begin_object();
    json.key("observer").value(i);
    json.key("delivered").value(snapshot.sum(StageKind::capture, CaptureCounter::delivered_to + i));
    json.key("dropped").value(snapshot.sum(StageKind::capture, CaptureCounter::dropped_on + i));
    json.end_object();
  }
  json.end_array();
}

void write_ledger(JsonWriter& json, const Ledger& ledger) {
  json.begin_object();
  json.key("balanced").value(ledger.balanced());
  json.key("sums").begin_array();
  for (const auto& sum : ledger.sums) {
    json.begin_object();
    json.key("sum").value(sum.name);
    json.key("left").value(sum.whole);
    json.key("right").value(sum.parts);
    json.key("balanced").value(sum.balanced());
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

} // namespace

void write_stages(JsonWriter& json, const Snapshot& snapshot) {
  json.begin_array();
  for (const auto& stage : snapshot.stages) {
    json.begin_object();
    json.key("stage").value(to_string(stage.kind));
    json.key("index").value(stage.index);
    json.key("state").value(to_string(stage.state));
    json.key("counters").begin_object();
    const auto infos = counters_of(stage.kind);
    for (std::size_t i = 0; i < infos.size(); ++i)
      json.key(infos[i].name).value(stage.counter(i));
    json.end_object();
    json.end_object();
  }
  json.end_array();
}

std::string summary_json(const RunDescription& run, const RunResult& result, const Snapshot& snapshot,
                         const Ledger& ledger) {
  JsonWriter json;
  const auto text = [&](std::string_view key, const std::string& value) {
    if (value.empty())
      json.key(key).null();
    else
      json.key(key).value(value);
  };
  json.begin_object();
  json.key("version").value(ORBWEAVER_VERSION);
  text("source", run.source);
  json.key("chains").begin_array();
  for (const auto& chain : run.chains)
    json.value(chain);
  json.end_array();
  if (!run.plugin.empty()) {
    json.key("plugin").value(run.plugin);
    text("connect", run.connect);
    json.key("input").value(run.jobs);
  }
  json.key("end").value(to_string(result.end));
  text("reason", result.reason);
  json.key("exit_status").value(result.exit_status);
  json.key("duration_s").value(snapshot.age_s);
  write_totals(json, totals_of(snapshot));
  if (!run.plugin.empty())
    write_job_totals(json, job_totals_of(snapshot));
  text("digest", run.digest ? digest_of(snapshot) : std::string());
  json.key("packet_rings");
  write_packet_rings(json, snapshot, run.observers);
  json.key("stages");
  write_stages(json, snapshot);
  json.key("ledger");
  write_ledger(json, ledger);
  json.end_object();
  return json.text();
}

} // namespace orbweaver
