// SPDX-License-Identifier: GPL-3.0-or-later
// Times that several stages must agree on where nobody gives others, in seconds.
#pragma once

#include <cstdint>

namespace orbweaver {

/// A connection may take so long (spider; the front command makes the observers patient enough for it).
inline constexpr std::uint64_t default_connection_timeout_s = 5;

/// An observer lets a flow go so long after its last packet,
inline constexpr std::uint64_t default_idle_timeout_s = 30;
/// and one that a chain saw complete so long after the last late packet.
inline constexpr std::uint64_t default_complete_timeout_s = 5;

/// A close that nobody answers goes on for so long after its connection has ended, and keeps its flow open.
inline constexpr std::uint64_t late_close_s = 25;

/// What a power cut may cost of a file that is written as results come.
inline constexpr std::uint64_t default_sync_s = 10;

/// The merger takes a connection for not observed where its flow, by these times, should have come.
[[nodiscard]] constexpr std::uint64_t missed_after_s(std::uint64_t idle_timeout_s,
                                                     std::uint64_t complete_timeout_s) noexcept {
  return idle_timeout_s + complete_timeout_s + late_close_s;
}
inline constexpr std::uint64_t default_missed_after_s =
    missed_after_s(default_idle_timeout_s, default_complete_timeout_s);

} // namespace orbweaver
