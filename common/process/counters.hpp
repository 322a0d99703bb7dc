// SPDX-License-Identifier: GPL-3.0-or-later
// The counters of every stage: their places in a stage's block of the control segment, their names and meaning.
// A stage counts in local variables and stores them here in its housekeeping; anyone may read them at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace orbweaver {

enum class StageKind : std::uint32_t { capture = 1, observer = 2, spider = 3, merger = 4 };

[[nodiscard]] std::string_view to_string(StageKind kind) noexcept;

inline constexpr std::size_t max_observers = 64;

namespace CaptureCounter {
enum : std::size_t {
  packets_read,
  octets_read,
  non_ip,
  unknown_link,
  short_packets,
  short_link_header,
  short_ip_header,
  short_transport_header,
  bad_ip_header,
  filtered,
  delivered,
  dropped_ring,
  dropped_source,
  fragments,
  fragments_held,
  fragments_unmatched,
  fragments_displaced,
  icmp_errors,
  clock_second,
  position_octets,
  size_octets,
  count,
};
/// After the named ones, for each ring: packets delivered to it, packets dropped on it.
inline constexpr std::size_t delivered_to = count;
inline constexpr std::size_t dropped_on = delivered_to + max_observers;
inline constexpr std::size_t total = dropped_on + max_observers;
} // namespace CaptureCounter

namespace ObserverCounter {
enum : std::size_t {
  packets_received,
  packets_counted,
  packets_ignored,
  packets_lost,
  icmp_errors,
  flows_opened,
  flows_emitted,
  flows_open,
  flows_dropped,
  flows_vetoed,
  ended_idle,
  ended_active,
  ended_complete,
  ended_forced,
  ended_resources,
  table_octets,
  clock_second,
  events_emitted,
  events_dropped,
  flow_memory_octets,
  values_without_memory,
  values_too_long,
  count,
};
} // namespace ObserverCounter

namespace SpiderCounter {
enum : std::size_t {
  lines_read,
  lines_bad,
  lines_duplicate,
  jobs_taken,
  jobs_finished,
  jobs_open,
  connections_ok,
  connections_failed,
  connections_timeout,
  connections_skipped,
  connections_discarded,
  connections_open,
  position_octets,
  size_octets,
  count,
};
} // namespace SpiderCounter

namespace MergerCounter {
enum : std::size_t {
  flows_received,
  flows_written,
  flows_dropped,
  flows_joined,
  flows_unclaimed,
  flows_waiting,
  events_received,
  events_written,
  events_dropped,
  connections_received,
  connections_joined,
  missed_never_seen,
  missed_ring_drop,
  missed_expired,
  missed_no_port,
  connections_waiting,
  jobs_received,
  jobs_written,
  jobs_dropped,
  jobs_unfinished,
  jobs_waiting,
  octets_written,
  digest_low,
  digest_high,
  count,
};
} // namespace MergerCounter

inline constexpr std::size_t max_counters = CaptureCounter::total;

/// One named counter. A gauge may fall, a counter never does.
struct CounterInfo {
  std::string_view name; ///< as in JSON; Prometheus: orbweaver_<stage>_<name>
  std::string_view help;
  bool gauge = false;
};

/// The named counters of a stage, by place.
[[nodiscard]] std::span<const CounterInfo> counters_of(StageKind kind) noexcept;

} // namespace orbweaver
