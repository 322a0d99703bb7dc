// SPDX-License-Identifier: GPL-3.0-or-later
#include "tools/json_writer.hpp"
#include "tools/run/summary.hpp"
#include "tools/stats/stats_formats.hpp"

namespace orbweaver {

namespace {

std::string write(const Snapshot& now, JsonWriter::Layout layout) {
  JsonWriter json(layout);
  json.begin_object();
  json.key("session").value(now.session);
  json.key("age_s").value(now.age_s);
  json.key("stages");
  write_stages(json, now);
  json.key("rings").begin_array();
  for (const auto& ring : now.rings) {
    json.begin_object();
    json.key("ring").value(ring.name);
    json.key("capacity_octets").value(ring.capacity_octets);
    json.key("fill_octets").value(ring.fill_octets);
    json.key("records").value(ring.records);
    json.key("dropped").value(ring.dropped);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.text();
}

} // namespace

std::string stats_json(const Snapshot& now) {
  return write(now, JsonWriter::Layout::indented);
}

std::string stats_json_line(const Snapshot& now) {
  return write(now, JsonWriter::Layout::one_line);
}

} // namespace orbweaver
