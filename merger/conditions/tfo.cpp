// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to TCP Fast Open (RFC 7413): flow 0 plain, flow 1 asks for a cookie, flow 2 uses it.
#include "merger/conditions/library.hpp"

#include <cstdint>

namespace orbweaver {

void combine_tfo(JobFlows flows, Conditions& conditions) {
  combine_connectivity(flows[0]->ok(), flows[2]->ok(), "tfo", conditions);

  const auto& fast = *flows[2];
  if (!fast.ok() || !fast.observed())
    return;
  // Without a cookie the SYN only asks for one again, by an empty option.
  if (!fast.is("tfo_synclen")) {
    if (flows[1]->is("tfo_ackclen") || fast.is("tfo_ackclen")) // one came: it is our own system that has lost it
      conditions.add_uncertain();
    else
      conditions.add_unseen(fast, "tfo.cookie.not_received");
    return;
  }
  conditions.add("tfo.cookie.received");
  const auto number = [&fast](const char* field) { return static_cast<std::uint32_t>(fast.number(field).value_or(0)); };
  const auto sent = number("tfo_dlen");
  const std::uint32_t acknowledged = number("tfo_ack") - number("tfo_seq"); // modulo 2^32, as sequence numbers count
  if (acknowledged == sent + 1)
    conditions.add("tfo.syndata.acked");
  else if (acknowledged == 1 && sent > 0)
    conditions.add("tfo.syndata.not_acked");
  else if (number("tfo_ack") == 0)
    conditions.add_unseen(fast, "tfo.syndata.failed");
}

} // namespace orbweaver
