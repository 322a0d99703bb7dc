// SPDX-License-Identifier: GPL-3.0-or-later
// What a path does to TCP options: flow 0 without any, then timestamps, window scale (RFC 7323), and selective
// acknowledgements (RFC 2018), one at a time.
#include "merger/conditions/library.hpp"

#include <string>
#include <string_view>

namespace orbweaver {

namespace {

constexpr CombinerFields fields{
    FieldUse{"tcp", "tcp_connected"},        FieldUse{"tcp", "tcp_synflags_fwd"},
    FieldUse{"tcpopt", "tcpopt_ts"},         FieldUse{"tcpopt", "tcpopt_ws"},
    FieldUse{"tcpopt", "tcpopt_sack"},       FieldUse{"tcpopt", "tcpopt_ts_offered"},
    FieldUse{"tcpopt", "tcpopt_ws_offered"}, FieldUse{"tcpopt", "tcpopt_sack_offered"},
};

struct Option {
  std::string_view prefix;
  FieldRef field; ///< true: the other side's SYN has it
  FieldRef sent;  ///< true: ours has
};

constexpr Option options[] = {{"tsopt", fields["tcpopt_ts"], fields["tcpopt_ts_offered"]},
                              {"wsopt", fields["tcpopt_ws"], fields["tcpopt_ws_offered"]},
                              {"sack", fields["tcpopt_sack"], fields["tcpopt_sack_offered"]}};

constexpr Treatment treatment(std::size_t connection, std::size_t option) {
  return {.of = only(connection),
          .field = options[option].sent,
          .seen = fields["tcp_synflags_fwd"],
          .value = connection == option + 1};
}

/// None of them, then each alone.
constexpr Treatment treatments[] = {
    treatment(0, 0), treatment(0, 1), treatment(0, 2), treatment(1, 0), treatment(1, 1), treatment(1, 2),
    treatment(2, 0), treatment(2, 1), treatment(2, 2), treatment(3, 0), treatment(3, 1), treatment(3, 2),
};

/// `yes` where the other side's SYN has the option, `no` where it has not.
void combine_option(const JobFlows& flows, std::size_t connection, const Option& option, std::string_view yes,
                    std::string_view no, Conditions& conditions) {
  const auto& flow = *flows[connection];
  if (!conditions.may_rest_on(flows, {connection}) || !connected(flow, fields["tcp_connected"], conditions))
    return;
  const std::string prefix(option.prefix);
  if (flow.is(option.field))
    conditions.add((prefix + '.').append(yes));
  else
    conditions.add_unseen(flow, (prefix + '.').append(no));
}

void combine_tcpopt(const JobFlows& flows, Conditions& conditions) {
  for (std::size_t i = 0; i < std::size(options); ++i)
    combine_connectivity(flows, 0, i + 1, options[i].prefix, conditions);
  for (std::size_t i = 0; i < std::size(options); ++i)
    combine_option(flows, i + 1, options[i], "negotiation.succeeded", "negotiation.failed", conditions);
  for (const auto& option : options)
    combine_option(flows, 0, option, "unsolicited.seen", "unsolicited.not_seen", conditions);
}

} // namespace

constinit const CombinerEntry tcpopt_combiner{"tcpopt", combine_tcpopt, 4, fields, treatments};

} // namespace orbweaver
