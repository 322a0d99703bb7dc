// SPDX-License-Identifier: GPL-3.0-or-later
// The counters of every stage: their places in a stage's block of the control segment, their names and meaning. A
// stage counts in local variables and stores them here in its housekeeping; anyone may read them at any time.
//
// Each stage has a table, counters/<stage>.def; a line of it is all there is to a counter: the place, what `stats`,
// `--summary` and Prometheus say of it, and docs/counters.md come from there.
//
//   COUNTER(place, counter | gauge, unit, "help")            a counter never falls, a gauge may
//   COUNTER_AS(place, "name", counter | gauge, unit, "help")  the same where the name cannot be a C++ identifier
//   COUNTER_OF_OBSERVERS(place, …)                           one for each observer, at place + index; behind all others
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace orbweaver {

enum class StageKind : std::uint32_t { capture = 1, observer = 2, spider = 3, merger = 4 };

inline constexpr StageKind all_stage_kinds[] = {StageKind::capture, StageKind::observer, StageKind::spider,
                                                StageKind::merger};

[[nodiscard]] std::string_view to_string(StageKind kind) noexcept;

inline constexpr std::size_t max_observers = 64;

#define COUNTER(place, ...) place,
#define COUNTER_AS(place, ...) place,
#define COUNTER_OF_OBSERVERS(place, ...) place, place##_last = place + max_observers - 1,

namespace CaptureCounter {
enum : std::size_t {
#include "common/process/counters/capture.def"
  count
};
} // namespace CaptureCounter

namespace ObserverCounter {
enum : std::size_t {
#include "common/process/counters/observer.def"
  count
};
} // namespace ObserverCounter

namespace SpiderCounter {
enum : std::size_t {
#include "common/process/counters/spider.def"
  count
};
} // namespace SpiderCounter

namespace MergerCounter {
enum : std::size_t {
#include "common/process/counters/merger.def"
  count
};
} // namespace MergerCounter

#undef COUNTER
#undef COUNTER_AS
#undef COUNTER_OF_OBSERVERS

/// Places in a stage's block: as many as the stage with the most counters has.
inline constexpr std::size_t max_counters = CaptureCounter::count;
static_assert(ObserverCounter::count <= max_counters && SpiderCounter::count <= max_counters &&
              MergerCounter::count <= max_counters);

enum class CounterKind : std::uint8_t { counter, gauge };

/// A line of a table.
struct CounterInfo {
  std::size_t place;
  std::string_view name; ///< as in JSON; Prometheus: orbweaver_<stage>_<name>
  CounterKind kind;
  std::string_view unit; ///< plural, or `number` for what has none
  std::string_view help;
  bool of_observers = false; ///< max_observers of them
};

/// A stage's table, by place: what stands at i < size() and is not of_observers has the place i.
[[nodiscard]] std::span<const CounterInfo> counters_of(StageKind kind) noexcept;

} // namespace orbweaver
