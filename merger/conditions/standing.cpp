// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/conditions/standing.hpp"

#include "common/tcp.hpp"

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace orbweaver {

namespace {

constexpr CombinerFields asked{
    FieldUse{"basic", "pkt_fwd"},
    FieldUse{"tcp", "tcp_synflags_rev"},
    FieldUse{"tcp", "tcp_connected"},
    FieldUse{"tcp", "tcp_fin_rev"},
    FieldUse{"tcp", "tcp_rst_rev"},
    FieldUse{"dns", "dns_response_valid"},
    FieldUse{"delivery", "delivery_mss"},
    FieldUse{"delivery", "delivery_largest_fwd"},
    FieldUse{"delivery", "delivery_largest_rev"},
    FieldUse{"delivery", "delivery_contiguous_rev"},
    FieldUse{"delivery", "delivery_acked_fwd"},
    FieldUse{"delivery", "delivery_acked_rev"},
    FieldUse{"delivery", "delivery_acked_segment_fwd"},
};

/// Errors that no packet from the path brings about: an ICMP error, or a reset, comes as another one. ENETUNREACH,
/// EHOSTUNREACH and EACCES may be either, and speak of us only where nothing was seen leaving.
constexpr std::string_view our_own[] = {"no carrier", "EPERM",  "ENETDOWN", "EADDRNOTAVAIL", "ENODEV",
                                        "ENOBUFS",    "ENOMEM", "EMFILE",   "ENFILE"};

constexpr std::uint8_t protocol_tcp = 6;

bool has_request(std::string_view kind) noexcept {
  return kind == "http" || kind == "https" || kind == "dnstcp";
}

std::int64_t value_of(std::string_view option, std::size_t place, const JobFlows& flows) {
  const auto values = flows.option(option);
  if (place >= values.size())
    throw std::out_of_range("its connections are to look as --" + std::string(option) + " says, which has " +
                            std::to_string(values.size()) + " values");
  std::int64_t value = 0;
  std::from_chars(values[place].data(), values[place].data() + values[place].size(), value);
  return value;
}

/// What of `treatment` is seen on that connection, which it is of.
Standing look(const JobFlow& flow, std::size_t connection, const Treatment& treatment, const JobFlows& flows) {
  auto found = flow.number(treatment.field);
  if (!found && treatment.otherwise)
    found = flow.number(*treatment.otherwise);
  const bool seen = treatment.seen ? flow.number(*treatment.seen).has_value() : found.has_value();
  if (!seen)
    return treatment.may_be_unseen ? Standing::sound : Standing::uncertain;
  const auto value = found.value_or(0) & treatment.mask;
  const auto wanted =
      treatment.option.empty() ? treatment.value : value_of(treatment.option, connection - treatment.of.first, flows);
  if (treatment.any ? value != 0 : value == wanted)
    return Standing::sound;
  // Of packets that were lost the first may have been as it should.
  return flow.ring_drops() > 0 ? Standing::uncertain : Standing::untreated;
}

/// Whether it failed here: an error of our own, or an answer that came and was not taken.
bool failed_here(const JobFlow& flow, std::string_view kind) {
  const bool is_tcp = flow.protocol() == protocol_tcp;
  const auto octets = [&flow](FieldRef field) { return flow.number(field).value_or(0); };
  const bool accepted = (octets(asked["tcp_synflags_rev"]) & TCP_SA) == TCP_SA;
  if (is_tcp && kind != "tcpsyn" && accepted && flow.number(asked["tcp_connected"]) == 0)
    return true; // the SYN+ACK was there, and no ACK left
  if (flow.ok())
    return false;
  // Nobody watched for a while, as where the interface was away: nobody knows whose fault it was.
  if (flow.ring_drops() > 0)
    return true;
  if (std::ranges::find(our_own, flow.error()) != std::end(our_own))
    return true;
  if (!is_tcp)
    return flow.state() == ConnectionState::timeout && flow.is(asked["dns_response_valid"]);
  if (octets(asked["delivery_contiguous_rev"]) > 0 && octets(asked["delivery_acked_rev"]) == 0)
    return true; // data was there, and nothing of it was acknowledged
  const bool is_closed = flow.is(asked["tcp_fin_rev"]) || flow.is(asked["tcp_rst_rev"]);
  return has_request(kind) && flow.is(asked["tcp_connected"]) && !is_closed &&
         flow.number(asked["delivery_largest_fwd"]) == 0; // the request never left
}

Standing standing_of(const JobFlow& flow, std::size_t connection, const CombinerEntry& entry, const JobFlows& flows) {
  if (!flow.observed() || flow.number(asked["pkt_fwd"]) == 0)
    return Standing::not_observed;
  auto standing = failed_here(flow, flows.run().connect) ? Standing::uncertain : Standing::sound;
  for (const auto& treatment : entry.treatments) {
    if (connection < treatment.of.first || connection > treatment.of.last)
      continue;
    const auto seen = look(flow, connection, treatment, flows);
    if (seen == Standing::untreated)
      return seen;
    if (seen == Standing::uncertain)
      standing = seen;
  }
  return standing;
}

/// Whether nothing full-sized got through on a connection on which something small did. What is full-sized differs by
/// options, which take 40 octets at most from what the MSS says.
bool suspects_mtu(const JobFlow& flow, std::string_view kind) {
  constexpr std::int64_t most_options = 40, least_mss = 536;
  const auto octets = [&flow](FieldRef field) { return flow.number(field).value_or(0); };
  if (flow.protocol() != protocol_tcp || !has_request(kind) || flow.state() != ConnectionState::timeout ||
      !flow.is(asked["tcp_connected"]) || flow.is(asked["tcp_rst_rev"]))
    return false;
  const auto full = flow.number(asked["delivery_mss"]).value_or(least_mss) - most_options;
  const auto sent = octets(asked["delivery_largest_fwd"]);
  if (sent == 0 || (octets(asked["delivery_acked_fwd"]) == 0 && sent < full))
    return false;
  return octets(asked["delivery_acked_segment_fwd"]) < full && octets(asked["delivery_largest_rev"]) < full;
}

} // namespace

std::span<const FieldUse> standing_fields() noexcept {
  return asked;
}

std::vector<Standing> standings_of(std::span<const JobFlow* const> flows, const PluginRun& run,
                                   const CombinerEntry& entry) {
  const JobFlows all(flows, run);
  std::vector<Standing> standings;
  standings.reserve(flows.size());
  for (std::size_t connection = 0; connection < flows.size(); ++connection)
    standings.push_back(standing_of(*flows[connection], connection, entry, all));
  return standings;
}

void hint_at_mtu(const JobFlows& flows, Conditions& conditions) {
  for (std::size_t connection = 0; connection < flows.size(); ++connection)
    if (flows.standing(connection) == Standing::sound && flows[connection]->ring_drops() == 0 &&
        suspects_mtu(*flows[connection], flows.run().connect))
      conditions.add_once(Conditions::pmtu_suspect);
}

} // namespace orbweaver
