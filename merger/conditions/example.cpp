// SPDX-License-Identifier: GPL-3.0-or-later
// example — the skeleton of a combiner: two connections, whether they worked, and whether the second one's handshake
// was seen. See docs/writing-a-plugin.md.
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

namespace {

// What is read of flows, and which chain brings it: a run without that chain is refused, a misspelt name does not
// compile.
constexpr CombinerFields fields{FieldUse{"tcp", "tcp_connected"}};

void combine_example(const JobFlows& flows, Conditions& conditions) {
  // One flow for each connection of the job, in order. What the spider found out itself needs no observer.
  combine_connectivity(flows[0]->ok(), flows[1]->ok(), "example", conditions);

  // Nothing can be said of a flow that nobody saw.
  const auto& flow = *flows[1];
  if (!flow.observed()) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }

  // What was seen was seen. What was not seen may have been lost on the way to us, in which case it is withheld.
  if (flow.is(fields["tcp_connected"]))
    conditions.add("example.handshake.seen");
  else
    conditions.add_unseen(flow, "example.handshake.not_seen");
}

} // namespace

constinit const CombinerEntry example_combiner{"example", combine_example, 2, fields};

} // namespace orbweaver
