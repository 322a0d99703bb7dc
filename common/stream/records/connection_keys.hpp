// SPDX-License-Identifier: GPL-3.0-or-later
// The keys of a connection's result that the merger writes from its record: nobody else adds members of these names.
#pragma once

#include <array>
#include <string_view>

namespace orbweaver {

/// `sip` in server mode, `dip` in all others.
inline constexpr std::array<std::string_view, 11> connection_keys{"sp",       "spdr_state",   "spdr_start", "spdr_stop",
                                                                  "config",   "sip",          "dip",        "jobId",
                                                                  "observed", "missed_cause", "error"};

} // namespace orbweaver
