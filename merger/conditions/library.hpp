// SPDX-License-Identifier: GPL-3.0-or-later
// The combiners that there are: one file and one line each. Owned by the merger; no state.
#pragma once

#include "merger/conditions.hpp"

#include <span>
#include <string_view>

namespace orbweaver {

extern const CombinerEntry dnsresolv_combiner;
extern const CombinerEntry dscp_combiner;
extern const CombinerEntry ecn_combiner;
extern const CombinerEntry evilbit_combiner;
extern const CombinerEntry h2_combiner;
extern const CombinerEntry mss_combiner;
extern const CombinerEntry tcpopt_combiner;
extern const CombinerEntry tfo_combiner;
extern const CombinerEntry udpzero_combiner;

/// By name.
inline constexpr const CombinerEntry* library_combiners[] = {
    &dnsresolv_combiner, &dscp_combiner, &ecn_combiner,    &evilbit_combiner,
    &h2_combiner,        &mss_combiner,  &tcpopt_combiner, &tfo_combiner,     &udpzero_combiner,
};

/// The combiner of that plugin: a library one, or one of a shared object. A name that no combiner has is a UsageError
/// that lists those that there are.
[[nodiscard]] CombinerEntry find_combiner(std::string_view plugin);

} // namespace orbweaver
