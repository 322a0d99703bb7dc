// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to Explicit Congestion Notification (RFC 3168): flow 0 without it, flow 1 with it.
#include "common/tcp.hpp"
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_synflags_fwd"},  FieldUse{"tcp", "tcp_connected"},     FieldUse{"tcp", "tcp_synflags_rev"},
    FieldUse{"ecn", "ecn_ect0_syn_rev"},  FieldUse{"ecn", "ecn_ect0_data_rev"}, FieldUse{"ecn", "ecn_ect1_syn_rev"},
    FieldUse{"ecn", "ecn_ect1_data_rev"}, FieldUse{"ecn", "ecn_ce_syn_rev"},    FieldUse{"ecn", "ecn_ce_data_rev"},
};

constexpr Treatment treatments[] = {
    {.of = only(0), .field = fields["tcp_synflags_fwd"], .mask = TCP_SEC, .value = TCP_SYN},
    {.of = only(1), .field = fields["tcp_synflags_fwd"], .mask = TCP_SEC, .value = TCP_SEC},
};

struct Mark {
  std::string_view condition;
  FieldRef on_syn, on_data;
};

constexpr Mark marks[] = {
    {"ecn.ipmark.ect0", fields["ecn_ect0_syn_rev"], fields["ecn_ect0_data_rev"]},
    {"ecn.ipmark.ect1", fields["ecn_ect1_syn_rev"], fields["ecn_ect1_data_rev"]},
    {"ecn.ipmark.ce", fields["ecn_ce_syn_rev"], fields["ecn_ce_data_rev"]},
};

void combine_ecn(const JobFlows& flows, Conditions& conditions) {
  combine_connectivity(flows, 0, 1, "ecn", conditions);

  const auto& ecn = *flows[1];
  if (!conditions.may_rest_on(flows, {1}) || !connected(ecn, fields["tcp_connected"], conditions))
    return;
  // An ECN-setup SYN+ACK has ECE and not CWR (RFC 3168, 6.1.1); with both, what we sent was sent back.
  const auto flags = ecn.number(fields["tcp_synflags_rev"]).value_or(0) & TCP_SAEC;
  if (flags == TCP_SAE)
    conditions.add("ecn.negotiation.succeeded");
  else if (flags == TCP_SAEC)
    conditions.add("ecn.negotiation.reflected");
  else
    conditions.add_unseen(ecn, "ecn.negotiation.failed");

  for (const auto& mark : marks) {
    const std::string prefix(mark.condition);
    if (ecn.is(mark.on_syn) || ecn.is(mark.on_data))
      conditions.add(prefix + ".seen");
    else
      conditions.add_unseen(ecn, prefix + ".not_seen");
  }
}

} // namespace

constinit const CombinerEntry ecn_combiner{"ecn", combine_ecn, 2, fields, treatments};

} // namespace orbweaver
