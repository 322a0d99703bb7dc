// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to the evil bit (RFC 3514): packet 0 has it clear, packet 1 set.
#include "common/tcp.hpp"
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_synflags_rev"},  FieldUse{"dns", "dns_response_valid"}, FieldUse{"evil", "evilbit_syn_fwd"},
    FieldUse{"evil", "evilbit_data_fwd"}, FieldUse{"evil", "evilbit_syn_rev"},   FieldUse{"evil", "evilbit_data_rev"},
};

constexpr auto on_syn = fields["evilbit_syn_fwd"], on_data = fields["evilbit_data_fwd"];

constexpr Treatment treatments[] = {
    {.of = only(0), .field = on_syn, .otherwise = on_data, .value = 0},
    {.of = only(1), .field = on_syn, .otherwise = on_data, .value = 1},
};

constexpr std::uint8_t protocol_tcp = 6;

bool answered(const JobFlow& flow) {
  if (flow.protocol() == protocol_tcp)
    return (flow.number(fields["tcp_synflags_rev"]).value_or(0) & TCP_SA) == TCP_SA;
  return flow.is(fields["dns_response_valid"]);
}

void combine_evilbit(const JobFlows& flows, Conditions& conditions) {
  if (!all_observed(flows)) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }
  const auto &good = *flows[0], &evil = *flows[1];
  if (conditions.may_rest_on(flows, {0, 1}))
    combine_answers(good, answered(good), evil, answered(evil), "evilbit", conditions);
  if (!conditions.may_rest_on(flows, {1}) || !answered(evil))
    return;
  const auto mark =
      evil.number(evil.protocol() == protocol_tcp ? fields["evilbit_syn_rev"] : fields["evilbit_data_rev"]);
  if (!mark) // IPv6 has no such bit
    return;
  if (*mark != 0)
    conditions.add("evilbit.mark.seen");
  else
    conditions.add_unseen(evil, "evilbit.mark.not_seen");
}

} // namespace

constinit const CombinerEntry evilbit_combiner{"evilbit", combine_evilbit, 2, fields, treatments};

} // namespace orbweaver
