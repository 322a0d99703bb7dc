// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/counters.hpp"

#include <array>

namespace orbweaver {

namespace {

constexpr std::array<CounterInfo, CaptureCounter::count> capture_counters{{
    {"packets_read", "packets that the source gave"},
    {"octets_read", "octets of those packets on the wire"},
    {"non_ip", "packets that carry no IP datagram"},
    {"unknown_link", "packets of a link type that is not known; non_ip has them too"},
    {"short", "packets too short or too damaged to have a flow key"},
    {"short_link_header", "packets cut in or before the link header; short has them too"},
    {"short_ip_header", "packets cut in the IP header or its extensions; short has them too"},
    {"short_transport_header", "packets cut before the ports; short has them too"},
    {"bad_ip_header", "packets with an IP version or header length that cannot be; short has them too"},
    {"filtered", "packets that the filter left out"},
    {"delivered", "packets given to the observers"},
    {"dropped_ring", "packets lost because an observer's ring was full or its observer gone"},
    {"dropped_source", "packets that the kernel or the card lost before they were read"},
    {"fragments", "packets that are fragments"},
    {"fragments_held", "fragments that wait for the first of their datagram", true},
    {"fragments_unmatched", "later fragments given on without ports, their first never came"},
    {"fragments_displaced", "fragments pushed out because the buffer was full; fragments_unmatched has them too"},
    {"icmp_errors", "ICMP errors that belong to the flow that they quote"},
    {"clock_second", "the packet clock, seconds since the epoch", true},
    {"position_octets", "octets of the capture file read", true},
    {"size_octets", "octets of the capture file, 0 where unknown", true},
}};

constexpr std::array<CounterInfo, ObserverCounter::count> observer_counters{{
    {"packets_received", "packets read from the ring"},
    {"packets_counted", "packets counted in flows"},
    {"packets_ignored", "packets of flows that a chain vetoed"},
    {"packets_lost", "packets that the ring lost on their way here"},
    {"icmp_errors", "ICMP errors among the packets received"},
    {"flows_opened", "flows opened"},
    {"flows_emitted", "flows given to the merger"},
    {"flows_open", "flows in the table", true},
    {"flows_dropped", "flows that the merger was no longer there to take"},
    {"flows_vetoed", "flows that a chain vetoed"},
    {"ended_idle", "flows ended by the idle timeout"},
    {"ended_active", "flows ended by the active timeout"},
    {"ended_complete", "flows ended because a chain saw their end"},
    {"ended_forced", "flows ended with the input"},
    {"ended_resources", "flows ended to make room for others"},
    {"table_octets", "memory of the flow table", true},
    {"clock_second", "the packet clock, seconds since the epoch", true},
    {"events_emitted", "events of chains given to the merger"},
    {"events_dropped", "events that the merger was no longer there to take"},
    {"flow_memory_octets", "memory in use for what flows hold of variable length", true},
    {"values_without_memory", "values of variable length that are null because the flow memory was full"},
    {"values_too_long", "values of variable length that are null because they were too long"},
}};

constexpr std::array<CounterInfo, SpiderCounter::count> spider_counters{{
    {"lines_read", "lines of the job input, empty ones left out"},
    {"lines_bad", "lines of the job input that are no job"},
    {"lines_duplicate", "lines of the job input for a target that was there before"},
    {"jobs_taken", "jobs taken from the input"},
    {"jobs_finished", "jobs whose connections have all ended"},
    {"jobs_open", "jobs under way", true},
    {"connections_ok", "connections that succeeded"},
    {"connections_failed", "connections that were refused or broke"},
    {"connections_timeout", "connections that took too long"},
    {"connections_skipped", "connections that were not tried"},
    {"connections_discarded", "connections that say nothing about the path"},
    {"connections_open", "connections under way", true},
    {"position_octets", "octets of the job file read", true},
    {"size_octets", "octets of the job file, 0 where unknown", true},
}};

constexpr std::array<CounterInfo, MergerCounter::count> merger_counters{{
    {"flows_received", "flows read from the observers"},
    {"flows_written", "flows written to the output"},
    {"flows_dropped", "flows that could not be written"},
    {"flows_joined", "flows that belong to a connection of the spider"},
    {"flows_unclaimed", "flows that no connection claimed in time"},
    {"flows_waiting", "flows that wait for their connection", true},
    {"events_received", "events read from the observers"},
    {"events_written", "events written to the output"},
    {"events_dropped", "events that could not be written, or that a measurement has no use for"},
    {"connections_received", "connections that the spider made"},
    {"connections_joined", "connections whose flow was observed"},
    {"missed_never_seen", "connections of which no packet was seen"},
    {"missed_ring_drop", "connections not seen while a ring lost packets"},
    {"missed_expired", "connections whose flow had been let go before"},
    {"missed_no_port", "connections that never got a port"},
    {"connections_waiting", "connections that wait for their flow", true},
    {"jobs_received", "jobs that the spider took"},
    {"jobs_written", "jobs written to the output"},
    {"jobs_dropped", "jobs that could not be written"},
    {"jobs_unfinished", "jobs written that the spider did not finish"},
    {"jobs_waiting", "jobs that wait for connections or flows", true},
    {"octets_written", "octets written to the output"},
    {"digest_low", "low half of the digest of the flows written, 0 where not asked for", true},
    {"digest_high", "high half of the digest of the flows written, 0 where not asked for", true},
}};

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
    return capture_counters;
  case StageKind::observer:
    return observer_counters;
  case StageKind::spider:
    return spider_counters;
  case StageKind::merger:
    return merger_counters;
  }
  return {};
}

} // namespace orbweaver
