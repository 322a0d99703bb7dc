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

constexpr auto syn = fields["dscp_mark_syn_fwd"], data = fields["dscp_mark_data_fwd"];

/// The socket's own code point, on the SYN and on the data: a datagram has no SYN, and a connection that only opens no
/// data.
constexpr Treatment treatments[] = {
    {.of = only(0), .field = syn, .otherwise = data},
    {.of = only(0), .field = data, .may_be_unseen = true},
    {.of = from(1), .field = syn, .otherwise = data, .option = "codepoint"},
    {.of = from(1), .field = data, .option = "codepoint", .may_be_unseen = true},
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
  for (std::size_t connection = 0; connection < flows.size(); ++connection) {
    if (!conditions.may_rest_on(flows, {connection}))
      continue;
    const auto& flow = *flows[connection];
    const auto prefix = "dscp." + std::to_string(code_point(flow, syn, data).value_or(0)); // it was seen: it stands
    if (connection > 0)
      combine_connectivity(flows, 0, connection, prefix, conditions);
    if (const auto reply = code_point(flow, fields["dscp_mark_syn_rev"], fields["dscp_mark_data_rev"]))
      conditions.add(prefix + ".replymark:" + std::to_string(*reply));
    else if (flow.ring_drops() > 0)
      conditions.add_uncertain();
  }
}

} // namespace

constinit const CombinerEntry dscp_combiner{"dscp", combine_dscp, 2, fields, treatments};

} // namespace orbweaver
