// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/builder.hpp"
#include "tools/run/report/summary.hpp"
#include "tools/stats/stats_formats.hpp"

namespace orbweaver {

namespace {

std::string write(const Snapshot& now, json::Layout layout) {
  std::string text;
  {
    json::Object session(text, layout);
    session.add("session", now.session).add("age_s", json::Decimal{now.age_s, 3});
    write_stages(session.array("stages"), now);
    json::Array rings = session.array("rings");
    for (const auto& ring : now.rings)
      rings.object()
          .add("ring", ring.name)
          .add("capacity_octets", ring.capacity_octets)
          .add("fill_octets", ring.fill_octets)
          .add("records", ring.records)
          .add("dropped", ring.dropped);
  }
  return text += '\n';
}

} // namespace

std::string stats_json(const Snapshot& now) {
  return write(now, json::Layout::indented);
}

std::string stats_json_line(const Snapshot& now) {
  return write(now, json::Layout::one_line);
}

} // namespace orbweaver
