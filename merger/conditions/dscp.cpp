// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to Differentiated Services code points (RFC 2474): flow 0 unmarked, each further one with its own.
#include "merger/conditions/library.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace orbweaver {

namespace {

/// The code point of one direction, "fwd" or "rev": of the SYN, or else of the first data.
std::optional<std::int64_t> code_point(const JobFlow& flow, const std::string& direction) {
  const auto syn = flow.number("dscp_mark_syn_" + direction);
  return syn ? syn : flow.number("dscp_mark_data_" + direction);
}

} // namespace

void combine_dscp(JobFlows flows, Conditions& conditions) {
  if (!all_observed(flows)) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }
  const auto& baseline = *flows[0];
  for (const auto* flow : flows) {
    const auto sent = code_point(*flow, "fwd");
    if (!sent) { // nothing of ours was seen, so that there is no saying which code point it had
      conditions.add_uncertain();
      continue;
    }
    const auto prefix = "dscp." + std::to_string(*sent);
    if (flow != &baseline)
      combine_connectivity(baseline.ok(), flow->ok(), prefix, conditions);
    if (const auto reply = code_point(*flow, "rev"))
      conditions.add(prefix + ".replymark:" + std::to_string(*reply));
    else if (flow->ring_drops() > 0)
      conditions.add_uncertain();
  }
}

} // namespace orbweaver
