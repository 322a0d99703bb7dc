// SPDX-License-Identifier: GPL-3.0-or-later
// The combiners that there are: one file and one line each. Owned by the merger; no state.
#pragma once

#include "merger/conditions.hpp"

#include <string_view>
#include <vector>

namespace orbweaver {

void combine_dnsresolv(JobFlows flows, Conditions& conditions);
void combine_dscp(JobFlows flows, Conditions& conditions);
void combine_ecn(JobFlows flows, Conditions& conditions);
void combine_evilbit(JobFlows flows, Conditions& conditions);
void combine_h2(JobFlows flows, Conditions& conditions);
void combine_mss(JobFlows flows, Conditions& conditions);
void combine_tcpopt(JobFlows flows, Conditions& conditions);
void combine_tfo(JobFlows flows, Conditions& conditions);
void combine_udpzero(JobFlows flows, Conditions& conditions);

/// By name. The last number: connections that each job has, at least.
inline constexpr CombinerEntry library_combiners[] = {
    {"dnsresolv", combine_dnsresolv, 0}, {"dscp", combine_dscp, 2}, {"ecn", combine_ecn, 2},
    {"evilbit", combine_evilbit, 2},     {"h2", combine_h2, 2},     {"mss", combine_mss, 1},
    {"tcpopt", combine_tcpopt, 4},       {"tfo", combine_tfo, 3},   {"udpzero", combine_udpzero, 2},
};

/// The combiner of that plugin: a library one, or one of a shared object. A name that no combiner has is a UsageError
/// that lists those that there are.
[[nodiscard]] CombinerEntry find_combiner(std::string_view plugin);

} // namespace orbweaver
