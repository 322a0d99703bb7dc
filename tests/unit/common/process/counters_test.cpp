// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/counters.hpp"

#include <doctest/doctest.h>
#include <set>
#include <string>

using namespace orbweaver;

TEST_CASE("each counter has a place of its own, a name that Prometheus takes, a unit, and a help that stands alone") {
  for (const auto kind : all_stage_kinds) {
    std::set<std::string_view> names;
    std::size_t place = 0;
    for (const auto& info : counters_of(kind)) {
      CAPTURE(info.name);
      CHECK(info.place == place);
      place += info.of_observers ? max_observers : 1;
      CHECK(names.insert(info.name).second);
      CHECK(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == info.name.npos);
      CHECK_FALSE(info.unit.empty());
      CHECK_FALSE(info.help.empty());
      CHECK_FALSE(info.help.starts_with("of those"));
      CHECK_FALSE(info.help.ends_with("."));
    }
    CHECK(place <= max_counters);
    CHECK(names.contains("stall_max_ns"));
  }
}

TEST_CASE("a counter whose name is no identifier has its name all the same") {
  CHECK(counters_of(StageKind::capture)[CaptureCounter::short_packets].name == "short");
}

TEST_CASE("counters of observers have places for all of them, one behind another") {
  CHECK(CaptureCounter::dropped_on - CaptureCounter::delivered_to == max_observers);
  CHECK(CaptureCounter::count - CaptureCounter::dropped_on == max_observers);
}
