// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to TCP options: flow 0 without any, then timestamps, window scale (RFC 7323), and selective
// acknowledgements (RFC 2018), one at a time.
#include "merger/conditions/library.hpp"

#include <string>
#include <string_view>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_connected"},
    FieldUse{"tcpopt", "tcpopt_ts"},
    FieldUse{"tcpopt", "tcpopt_ws"},
    FieldUse{"tcpopt", "tcpopt_sack"},
};

struct Option {
  std::string_view prefix;
  FieldRef field; ///< true: the other side's SYN has it
};

constexpr Option options[] = {
    {"tsopt", fields["tcpopt_ts"]}, {"wsopt", fields["tcpopt_ws"]}, {"sack", fields["tcpopt_sack"]}};

/// `yes` where the other side's SYN has the option, `no` where it has not.
void combine_option(const JobFlow& flow, const Option& option, std::string_view yes, std::string_view no,
                    Conditions& conditions) {
  if (!connected(flow, fields["tcp_connected"], conditions))
    return;
  const std::string prefix(option.prefix);
  if (flow.is(option.field))
    conditions.add((prefix + '.').append(yes));
  else
    conditions.add_unseen(flow, (prefix + '.').append(no));
}

void combine_tcpopt(const JobFlows& flows, Conditions& conditions) {
  for (std::size_t i = 0; i < std::size(options); ++i)
    combine_connectivity(flows[0]->ok(), flows[i + 1]->ok(), options[i].prefix, conditions);
  if (!all_observed(flows))
    conditions.add(std::string(Conditions::not_observed));
  for (std::size_t i = 0; i < std::size(options); ++i)
    combine_option(*flows[i + 1], options[i], "negotiation.succeeded", "negotiation.failed", conditions);
  for (const auto& option : options)
    combine_option(*flows[0], option, "unsolicited.seen", "unsolicited.not_seen", conditions);
}

} // namespace

constinit const CombinerEntry tcpopt_combiner{"tcpopt", combine_tcpopt, 4, fields};

} // namespace orbweaver
