// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to Differentiated Services code points (RFC 2474): flow 0 unmarked, each further one with its own.
#include "merger/conditions/library.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"dscp", "dscp_mark_syn_fwd"},
    FieldUse{"dscp", "dscp_mark_data_fwd"},
    FieldUse{"dscp", "dscp_mark_syn_rev"},
    FieldUse{"dscp", "dscp_mark_data_rev"},
};

/// The code point of one direction: of the SYN, or else of the first data.
std::optional<std::int64_t> code_point(const JobFlow& flow, FieldRef syn_mark, FieldRef data_mark) {
  const auto syn = flow.number(syn_mark);
  return syn ? syn : flow.number(data_mark);
}

void combine_dscp(const JobFlows& flows, Conditions& conditions) {
  if (!all_observed(flows)) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }
  const auto& baseline = *flows[0];
  for (const auto* flow : flows) {
    const auto sent = code_point(*flow, fields["dscp_mark_syn_fwd"], fields["dscp_mark_data_fwd"]);
    if (!sent) { // nothing of ours was seen, so that there is no saying which code point it had
      conditions.add_uncertain();
      continue;
    }
    const auto prefix = "dscp." + std::to_string(*sent);
    if (flow != &baseline)
      combine_connectivity(baseline.ok(), flow->ok(), prefix, conditions);
    if (const auto reply = code_point(*flow, fields["dscp_mark_syn_rev"], fields["dscp_mark_data_rev"]))
      conditions.add(prefix + ".replymark:" + std::to_string(*reply));
    else if (flow->ring_drops() > 0)
      conditions.add_uncertain();
  }
}

} // namespace

constinit const CombinerEntry dscp_combiner{"dscp", combine_dscp, 2, fields};

} // namespace orbweaver
