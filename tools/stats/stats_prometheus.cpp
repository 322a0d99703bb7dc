// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/stats/stats_formats.hpp"

#include <string_view>

namespace orbweaver {

namespace {

using Labels = std::string;

Labels label(std::string_view name, const std::string& value) {
  return std::string(name) + "=\"" + value + "\""; // session and ring names need no escaping
}

class Text {
public:
  explicit Text(const std::string& session) : session_(label("session", session)) {}

  /// Begins a metric.
  void metric(const std::string& name, std::string_view help, bool gauge) {
    name_ = "orbweaver_" + name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + (gauge ? " gauge\n" : " counter\n");
  }

  void sample(const Labels& labels, std::uint64_t value) {
    text_ += name_ + "{" + session_ + "," + labels + "} " + std::to_string(value) + "\n";
  }

  [[nodiscard]] const std::string& text() const { return text_; }

private:
  Labels session_;
  std::string name_;
  std::string text_;
};

void write_counters(Text& text, const Snapshot& now, StageKind kind) {
  const auto infos = counters_of(kind);
  for (std::size_t i = 0; i < infos.size(); ++i) {
    text.metric(std::string(to_string(kind)) + "_" + std::string(infos[i].name), infos[i].help, infos[i].gauge);
    for (const auto& stage : now.stages)
      if (stage.kind == kind)
        text.sample(label("index", std::to_string(stage.index)), stage.counter(i));
  }
}

void write_deliveries(Text& text, const Snapshot& now) {
  const auto by_observer = [&](const std::string& name, std::string_view help, std::size_t place) {
    text.metric(name, help, false);
    for (const auto& stage : now.stages)
      if (stage.kind == StageKind::observer)
        text.sample(label("observer", std::to_string(stage.index)), now.sum(StageKind::capture, place + stage.index));
  };
  by_observer("capture_delivered_to", "packets given to that observer", CaptureCounter::delivered_to);
  by_observer("capture_dropped_on", "packets lost on the ring to that observer", CaptureCounter::dropped_on);
}

void write_rings(Text& text, const Snapshot& now) {
  const auto metric = [&](const std::string& name, std::string_view help, bool gauge, auto member) {
    text.metric("ring_" + name, help, gauge);
    for (const auto& ring : now.rings)
      text.sample(label("ring", ring.name), ring.*member);
  };
  metric("capacity_octets", "octets that the ring holds", true, &RingSnapshot::capacity_octets);
  metric("fill_octets", "octets between its two ends now", true, &RingSnapshot::fill_octets);
  metric("records", "records written to it", false, &RingSnapshot::records);
  metric("dropped", "packets lost because it was full", false, &RingSnapshot::dropped);
}

} // namespace

std::string stats_prometheus(const Snapshot& now) {
  Text text(now.session);
  text.metric("stage_up", "1 while the stage runs", true);
  for (const auto& stage : now.stages)
    text.sample(label("stage", std::string(to_string(stage.kind))) + "," + label("index", std::to_string(stage.index)),
                stage.state == StageState::running);
  for (const auto kind : {StageKind::capture, StageKind::observer, StageKind::spider, StageKind::merger})
    if (now.has(kind))
      write_counters(text, now, kind);
  if (now.has(StageKind::capture) && now.has(StageKind::observer))
    write_deliveries(text, now);
  if (!now.rings.empty())
    write_rings(text, now);
  return text.text();
}

} // namespace orbweaver
