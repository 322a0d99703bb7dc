// SPDX-License-Identifier: GPL-3.0-or-later
// Whether HTTP/2 can be had (RFC 9113): connection 0 without it, connection 1 asks for it.
#include "merger/conditions/library.hpp"

namespace orbweaver {

namespace {

void combine_h2(const JobFlows& flows, Conditions& conditions) {
  combine_connectivity(flows, 0, 1, "h2", conditions);
  if (!flows[1]->ok() || !conditions.may_rest_on(flows, {1}))
    return;
  const auto version = flows[1]->member("/http_info/http_version");
  if (!version) // what the server answered did not fit into the record
    conditions.add_uncertain();
  else
    conditions.add(version->starts_with("2") ? "h2.upgrade.success" : "h2.upgrade.failed");
}

} // namespace

constinit const CombinerEntry h2_combiner{"h2", combine_h2, 2, {}};

} // namespace orbweaver
