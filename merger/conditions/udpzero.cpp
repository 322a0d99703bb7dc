// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a path lets UDP datagrams without a checksum through (RFC 768, RFC 6935): datagram 0 has one, datagram 1
// none.
#include "merger/conditions/library.hpp"

#include <string>

namespace orbweaver {

void combine_udpzero(JobFlows flows, Conditions& conditions) {
  if (!all_observed(flows)) {
    conditions.add(std::string(Conditions::not_observed));
    return;
  }
  const auto &baseline = *flows[0], &zero = *flows[1];
  combine_answers(baseline, baseline.is("dns_response_valid"), zero, zero.is("dns_response_valid"), "udpzero",
                  conditions);
}

} // namespace orbweaver
