// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a path lets UDP datagrams without a checksum through (RFC 768, RFC 6935): datagram 0 has one, datagram 1
// none.
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{FieldUse{"dns", "dns_response_valid"}, FieldUse{"udp", "udp_zero_checksum_fwd"}};

constexpr Treatment treatments[] = {
    {.of = only(0), .field = fields["udp_zero_checksum_fwd"], .value = 0},
    {.of = only(1), .field = fields["udp_zero_checksum_fwd"], .value = 1},
};

void combine_udpzero(const JobFlows& flows, Conditions& conditions) {
  if (!all_observed(flows)) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }
  const auto &baseline = *flows[0], &zero = *flows[1];
  if (conditions.may_rest_on(flows, {0, 1}))
    combine_answers(baseline, baseline.is(fields["dns_response_valid"]), zero, zero.is(fields["dns_response_valid"]),
                    "udpzero", conditions);
}

} // namespace

constinit const CombinerEntry udpzero_combiner{"udpzero", combine_udpzero, 2, fields, treatments};

} // namespace orbweaver
