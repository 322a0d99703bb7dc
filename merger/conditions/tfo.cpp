// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to TCP Fast Open (RFC 7413): flow 0 plain, flow 1 asks for a cookie, flow 2 uses it.
#include "merger/conditions/library.hpp"

#include <cstdint>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_synflags_fwd"}, FieldUse{"tfo", "tfo_synkind"}, FieldUse{"tfo", "tfo_synclen"},
    FieldUse{"tfo", "tfo_ackclen"},      FieldUse{"tfo", "tfo_seq"},     FieldUse{"tfo", "tfo_dlen"},
    FieldUse{"tfo", "tfo_ack"},
};

constexpr auto syn = fields["tcp_synflags_fwd"], kind = fields["tfo_synkind"];

constexpr Treatment treatments[] = {
    {.of = only(0), .field = kind, .seen = syn, .value = 0},
    {.of = from(1), .field = kind, .seen = syn, .any = true},
};

void combine_tfo(const JobFlows& flows, Conditions& conditions) {
  combine_connectivity(flows, 0, 2, "tfo", conditions);

  const auto& fast = *flows[2];
  if (!fast.ok() || !conditions.may_rest_on(flows, {2}))
    return;
  // Without a cookie the SYN only asks for one again, by an empty option.
  if (!fast.is(fields["tfo_synclen"])) {
    if (flows[1]->is(fields["tfo_ackclen"]) ||
        fast.is(fields["tfo_ackclen"])) // one came: it is our own system that has lost it
      conditions.add_uncertain();
    else if (conditions.may_rest_on(flows, {1})) // which asked for it
      conditions.add_unseen(fast, "tfo.cookie.not_received");
    return;
  }
  conditions.add("tfo.cookie.received");
  const auto number = [&fast](FieldRef field) { return static_cast<std::uint32_t>(fast.number(field).value_or(0)); };
  const auto sent = number(fields["tfo_dlen"]);
  const std::uint32_t acknowledged =
      number(fields["tfo_ack"]) - number(fields["tfo_seq"]); // modulo 2^32, as sequence numbers count
  if (acknowledged == sent + 1)
    conditions.add("tfo.syndata.acked");
  else if (acknowledged == 1 && sent > 0)
    conditions.add("tfo.syndata.not_acked");
  else if (number(fields["tfo_ack"]) == 0)
    conditions.add_unseen(fast, "tfo.syndata.failed");
}

} // namespace

constinit const CombinerEntry tfo_combiner{"tfo", combine_tfo, 3, fields, treatments};

} // namespace orbweaver
