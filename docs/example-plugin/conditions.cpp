// SPDX-License-Identifier: GPL-3.0-or-later
// What the answers' TTL says of the path back.
#include <orbweaver/conditions.hpp>

namespace {

// All that is read of flows, and the chains that bring it.
constexpr orbweaver::CombinerFields fields{
    orbweaver::FieldUse{"ttl", "ttl_last_rev"},
    orbweaver::FieldUse{"ttl", "ttl_changes_rev"},
};

void combine_ttl(const orbweaver::JobFlows& flows, orbweaver::Conditions& conditions) {
  const auto& flow = *flows[0];
  if (!conditions.may_rest_on(flows, {0})) // nothing of it left, say
    return;
  orbweaver::combine_connectivity(flows, 0, "ttl", conditions);
  if (const auto ttl = flow.number(fields["ttl_last_rev"])) {
    conditions.add("ttl.reply.value:" + std::to_string(*ttl));
    if (flow.is(fields["ttl_changes_rev"]))
      conditions.add("ttl.reply.changed");
    else
      conditions.add_unseen(flow, "ttl.reply.stable"); // a change may have been among lost packets
  }
}

} // namespace

ORBWEAVER_EXPORT_CONDITIONS({"ttl", combine_ttl, 1, fields})
