// SPDX-License-Identifier: GPL-3.0-or-later
// What capture was at when it dies of a fault of its own: a live source does not give its frames twice, so that the
// process itself has to say, while it dies, what was in its hands. Costs the hot path a store for each batch.
#pragma once

#include "capture/sources/source.hpp"

#include <span>

namespace orbweaver {

/// From now on, should a signal of a fault (SIGSEGV, SIGABRT and their like) end this process, the frames that are at
/// work go to that descriptor as a pcap file, before it ends by that signal all the same. Whose octets cannot be read
/// any more is left out.
void give_out_last_frames(int fd) noexcept;

/// These frames are at work now; none once it has been given an empty list. One thread.
void frames_at_work(std::span<const Frame> frames) noexcept;

} // namespace orbweaver
