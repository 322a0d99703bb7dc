// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/counters.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

#define COUNTER(place, kind, unit, help) COUNTER_AS(place, #place, kind, unit, help)
#define COUNTER_AS(place, name, kind, unit, help) {C::place, name, CounterKind::kind, #unit, help, false},
#define COUNTER_OF_OBSERVERS(place, kind, unit, help) {C::place, #place, CounterKind::kind, #unit, help, true},

namespace capture {
namespace C = CaptureCounter;
constexpr CounterInfo table[] = {
#include "common/process/counters/capture.def"
};
} // namespace capture

namespace observer {
namespace C = ObserverCounter;
constexpr CounterInfo table[] = {
#include "common/process/counters/observer.def"
};
} // namespace observer

namespace spider {
namespace C = SpiderCounter;
constexpr CounterInfo table[] = {
#include "common/process/counters/spider.def"
};
} // namespace spider

namespace merger {
namespace C = MergerCounter;
constexpr CounterInfo table[] = {
#include "common/process/counters/merger.def"
};
} // namespace merger

constexpr bool those_of_observers_stand_last(std::span<const CounterInfo> table) {
  return std::ranges::is_sorted(table, {}, &CounterInfo::of_observers);
}
static_assert(those_of_observers_stand_last(capture::table) && those_of_observers_stand_last(observer::table) &&
              those_of_observers_stand_last(spider::table) && those_of_observers_stand_last(merger::table));

} // namespace

std::string_view to_string(StageKind kind) noexcept {
  switch (kind) {
  case StageKind::capture:
    return "capture";
  case StageKind::observer:
    return "observer";
  case StageKind::spider:
    return "spider";
  case StageKind::merger:
    return "merger";
  }
  return "stage";
}

std::span<const CounterInfo> counters_of(StageKind kind) noexcept {
  switch (kind) {
  case StageKind::capture:
    return capture::table;
  case StageKind::observer:
    return observer::table;
  case StageKind::spider:
    return spider::table;
  case StageKind::merger:
    return merger::table;
  }
  return {};
}

} // namespace orbweaver
