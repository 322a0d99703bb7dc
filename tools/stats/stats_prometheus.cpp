// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/stats/stats_formats.hpp"

#include <algorithm>
#include <spdlog/fmt/fmt.h>
#include <string_view>

namespace orbweaver {

namespace {

using Labels = std::string;

/// A label's value, or with `quoted` false a help line, as the format wants it.
std::string escaped(std::string_view text, bool quoted) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quoted && c == '"'))
      out += '\\';
    out += c;
  }
  return out;
}

Labels label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + escaped(value, true) + "\"";
}

Labels index_label(std::size_t index) {
  return label("index", std::to_string(index));
}

Labels stage_labels(const StageSnapshot& stage) {
  return label("stage", to_string(stage.kind)) + "," + index_label(stage.index);
}

/// A name and its values in the base units that Prometheus wants: seconds for nanoseconds.
struct Naming {
  explicit Naming(const CounterInfo& info) : name(info.name), is_ns(info.unit == "nanoseconds") {
    if (is_ns && name.ends_with("_ns"))
      name.replace(name.size() - 2, 2, "seconds");
  }

  [[nodiscard]] std::string value(std::uint64_t number) const {
    return is_ns ? fmt::format("{}.{:09}", number / 1'000'000'000, number % 1'000'000'000) : std::to_string(number);
  }

  std::string name;
  bool is_ns;
};

class Text {
public:
  explicit Text(const std::string& session) : session_(label("session", session)) {}

  /// Begins a metric.
  void metric(const std::string& name, std::string_view help, CounterKind kind) {
    name_ = "orbweaver_" + name;
    text_ += "# HELP " + name_ + " " + escaped(help, false) + "\n# TYPE " + name_ +
             (kind == CounterKind::gauge ? " gauge\n" : " counter\n");
  }

  void sample(const Labels& labels, const std::string& value) {
    text_ += name_ + "{" + session_ + "," + labels + "} " + value + "\n";
  }
  void sample(const Labels& labels, std::uint64_t value) { sample(labels, std::to_string(value)); }

  [[nodiscard]] const std::string& text() const { return text_; }

private:
  Labels session_;
  std::string name_;
  std::string text_;
};

void write_counters(Text& text, const Snapshot& now, StageKind kind) {
  const auto observers = now.observers();
  for (const auto& info : counters_of(kind)) {
    if (info.of_observers && observers == 0)
      continue;
    const Naming naming(info);
    text.metric(std::string(to_string(kind)) + "_" + naming.name, info.help, info.kind);
    if (info.of_observers)
      for (std::size_t i = 0; i < observers; ++i)
        text.sample(label("observer", std::to_string(i)), naming.value(now.sum(kind, info.place + i)));
    else
      for (const auto& stage : now.stages)
        if (stage.kind == kind)
          text.sample(index_label(stage.index), naming.value(stage.counter(info.place)));
  }
}

/// Each kind of message is a series, named by the text of the first: at most as many as a log holds.
void write_messages(Text& text, const Snapshot& now) {
  text.metric("stage_messages", "warnings and errors of a stage by their kind", CounterKind::counter);
  for (const auto& stage : now.stages)
    for (const auto& message : stage.messages)
      text.sample(stage_labels(stage) + "," + label("level", to_string(message.level)) + "," +
                      label("message", message.text.empty() ? "(further kinds)" : message.text),
                  message.count);
}

void write_rings(Text& text, const Snapshot& now) {
  const auto metric = [&](const std::string& name, std::string_view help, CounterKind kind, auto member) {
    text.metric("ring_" + name, help, kind);
    for (const auto& ring : now.rings)
      text.sample(label("ring", ring.name), ring.*member);
  };
  metric("capacity_octets", "octets that the ring holds", CounterKind::gauge, &RingSnapshot::capacity_octets);
  metric("fill_octets", "octets between its two ends now", CounterKind::gauge, &RingSnapshot::fill_octets);
  metric("records", "records written to it", CounterKind::counter, &RingSnapshot::records);
  metric("dropped", "packets lost because it was full", CounterKind::counter, &RingSnapshot::dropped);
}

} // namespace

std::string stats_prometheus(const Snapshot& now) {
  Text text(now.session);
  text.metric("stage_up", "1 while the stage runs", CounterKind::gauge);
  for (const auto& stage : now.stages)
    text.sample(stage_labels(stage), stage.state == StageState::running);
  for (const auto kind : all_stage_kinds)
    if (now.has(kind))
      write_counters(text, now, kind);
  if (std::ranges::any_of(now.stages, [](const auto& stage) { return !stage.messages.empty(); }))
    write_messages(text, now);
  if (!now.rings.empty())
    write_rings(text, now);
  return text.text();
}

} // namespace orbweaver
