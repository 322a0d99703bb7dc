// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to Explicit Congestion Notification (RFC 3168): flow 0 without it, flow 1 with it.
#include "common/tcp.hpp"
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

void combine_ecn(JobFlows flows, Conditions& conditions) {
  combine_connectivity(flows[0]->ok(), flows[1]->ok(), "ecn", conditions);
  if (!all_observed(flows))
    conditions.add(std::string(Conditions::not_observed));

  const auto& ecn = *flows[1];
  if (!connected(ecn, conditions))
    return;
  // An ECN-setup SYN+ACK has ECE and not CWR (RFC 3168, 6.1.1); with both, what we sent was sent back.
  const auto flags = ecn.number("tcp_synflags_rev").value_or(0) & TCP_SAEC;
  if (flags == TCP_SAE)
    conditions.add("ecn.negotiation.succeeded");
  else if (flags == TCP_SAEC)
    conditions.add("ecn.negotiation.reflected");
  else
    conditions.add_unseen(ecn, "ecn.negotiation.failed");

  for (const std::string mark : {"ect0", "ect1", "ce"}) {
    const auto prefix = "ecn.ipmark." + mark;
    if (ecn.is("ecn_" + mark + "_syn_rev") || ecn.is("ecn_" + mark + "_data_rev"))
      conditions.add(prefix + ".seen");
    else
      conditions.add_unseen(ecn, prefix + ".not_seen");
  }
}

} // namespace orbweaver
