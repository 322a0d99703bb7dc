// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to the maximum segment size (RFC 9293, 3.7.1): one connection.
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_connected"},
    FieldUse{"tcp", "tcp_synflags_fwd"},
    FieldUse{"mss", "mss_value_fwd"},
    FieldUse{"mss", "mss_value_rev"},
};

constexpr Treatment treatments[] = {
    {.of = only(0), .field = fields["mss_value_fwd"], .seen = fields["tcp_synflags_fwd"], .any = true},
};

void combine_mss(const JobFlows& flows, Conditions& conditions) {
  const auto& flow = *flows[0];
  if (!conditions.may_rest_on(flows, {0}))
    return;
  if (!flow.is(fields["tcp_connected"])) {
    conditions.add_unseen(flow, "mss.connectivity.offline");
    return;
  }
  combine_connectivity(true, "mss", conditions);
  const auto local = flow.number(fields["mss_value_fwd"]);
  const auto remote = flow.number(fields["mss_value_rev"]);
  if (local)
    conditions.add("mss.option.local.value:" + std::to_string(*local));
  if (!remote) {
    conditions.add_unseen(flow, "mss.option.received.absent");
    return;
  }
  conditions.add("mss.option.remote.value:" + std::to_string(*remote));
  if (local) {
    const auto* const change = *remote == *local ? "unchanged" : *remote < *local ? "deflated" : "inflated";
    conditions.add(std::string("mss.option.received.") + change);
  }
}

} // namespace

constinit const CombinerEntry mss_combiner{"mss", combine_mss, 1, fields, treatments};

} // namespace orbweaver
