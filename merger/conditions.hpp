// SPDX-License-Identifier: GPL-3.0-or-later
// What a combiner sees and says: the flows of one job, joined with their connections, and the conditions that follow.
// A combiner is a pure function with a list of the fields that it reads; it has a file in conditions/ and a line in
// conditions/library.hpp, or stands in a shared object (ORBWEAVER_EXPORT_CONDITIONS). Merger's thread.
#pragma once

#include "common/process/shared_object.hpp"
#include "common/stream/description.hpp"
#include "common/stream/records/job_record.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// Changes with anything that combiners of a shared object are built against.
inline constexpr std::uint32_t conditions_interface_version = 5;

/// A field of flows that a combiner reads, and the chain that brings it. A run without it is refused.
struct FieldUse {
  std::string_view chain;
  std::string_view name;
};

/// A field of a combiner's list: `fields["tcp_connected"]`.
class FieldRef {
public:
  [[nodiscard]] constexpr const FieldUse* use() const noexcept { return use_; }

private:
  template <std::size_t count>
  friend struct CombinerFields;
  constexpr explicit FieldRef(const FieldUse* use) : use_(use) {}
  const FieldUse* use_;
};

/// Whoever asks for a field that is not on the list does not compile: this is what the compiler names.
void the_list_of_fields_has_no_field_of_that_name();

/// All fields that a combiner reads, at namespace scope:
///
///   constexpr CombinerFields fields{FieldUse{"tcp", "tcp_connected"}, FieldUse{"mss", "mss_value_rev"}};
///   … flow.number(fields["mss_value_rev"])
template <std::size_t count>
struct CombinerFields {
  FieldUse list[count];

  [[nodiscard]] consteval FieldRef operator[](std::string_view name) const {
    for (const auto& use : list)
      if (use.name == name)
        return FieldRef(&use);
    the_list_of_fields_has_no_field_of_that_name();
    return FieldRef(nullptr);
  }
  // NOLINTNEXTLINE(google-explicit-constructor): a list is what an entry takes
  constexpr operator std::span<const FieldUse>() const noexcept { return list; }
};
template <typename... Uses>
CombinerFields(Uses...) -> CombinerFields<sizeof...(Uses)>;

/// Connections of a job that a treatment is of, both included.
struct Connections {
  std::size_t first, last;
};
[[nodiscard]] constexpr Connections only(std::size_t connection) noexcept {
  return {connection, connection};
}
[[nodiscard]] constexpr Connections from(std::size_t connection) noexcept {
  return {connection, SIZE_MAX};
}

/// What the forward packets of a connection look like that the plugin treated as it should: a configuration of the
/// system that somebody else has changed, or a firewall of our own, make others of them. Beside the combiner's fields:
///
///   constexpr Treatment treatments[] = {
///       {.of = only(0), .field = fields["tcp_synflags_fwd"], .mask = TCP_SEC, .value = TCP_SYN},
///       {.of = from(1), .field = fields["dscp_mark_syn_fwd"], .option = "codepoint"},
///   };
struct Treatment {
  Connections of;
  FieldRef field;                         ///< null counts as 0
  std::optional<FieldRef> otherwise = {}; ///< is read where `field` is null
  std::optional<FieldRef> seen = {};      ///< null: the packet was not seen; without, `field` says so itself
  std::int64_t mask = -1;                 ///< of the value's bits, those that count
  std::int64_t value = 0;                 ///< what they are
  bool any = false;                       ///< instead: any but 0
  std::string_view option = {};           ///< instead: the option's values, one for each connection in order
  bool may_be_unseen = false;             ///< such a packet need not have been there
};

/// What a verdict that rests on a connection rests on.
enum class Standing : std::uint8_t {
  sound,        ///< its packets left, as they should be
  not_observed, ///< they were not seen leaving
  untreated,    ///< they were, and were others than they should be
  uncertain,    ///< that cannot be told; or it failed on our own side
};

/// One connection of a job with the flow that belongs to it, if there was one.
class JobFlow {
public:
  virtual ~JobFlow() = default;
  /// Whether the observer saw a flow of this connection.
  [[nodiscard]] virtual bool observed() const = 0;
  [[nodiscard]] virtual ConnectionState state() const = 0;
  /// 6 or 17; 0 where there was no connection.
  [[nodiscard]] virtual std::uint8_t protocol() const = 0;
  /// Packets that the observer's ring lost while the flow was open, and at least 1 where it lost any during the
  /// connection, where the flow begins with an answer, or where it had to leave the table before its time: what the
  /// observer did not see may have been there.
  [[nodiscard]] virtual std::uint64_t ring_drops() const = 0;
  /// A field of the flow: booleans as 0 and 1, times in nanoseconds, enumerations by number. Nothing where it is null,
  /// where there is no flow, or where it is more than 2^63 - 1. Forward is the direction from the connection's source
  /// to its destination, also where the flow's first packet seen was an answer.
  [[nodiscard]] virtual std::optional<std::int64_t> number(FieldRef field) const = 0;
  /// The error that its socket failed with, or the system refused it: "ENETUNREACH", "no carrier"; empty: none.
  [[nodiscard]] virtual std::string error() const = 0;
  /// A member of the connection record by JSON pointer (RFC 6901), as text: "/http_info/http_version".
  [[nodiscard]] virtual std::optional<std::string> member(std::string_view pointer) const = 0;

  [[nodiscard]] bool ok() const { return state() == ConnectionState::ok; }
  /// Whether a field is there and not 0.
  [[nodiscard]] bool is(FieldRef field) const { return number(field).value_or(0) != 0; }
};

/// The flows of a job, one for each configuration or connection of the plugin, in order; and the run that they are of.
class JobFlows {
public:
  /// `standings`: of each; none: all are sound.
  JobFlows(std::span<const JobFlow* const> flows, const PluginRun& run, std::span<const Standing> standings = {})
      : flows_(flows), standings_(standings), run_(run) {}

  /// Throws where the job has no such connection: an entry says how many there are at least.
  [[nodiscard]] const JobFlow* operator[](std::size_t connection) const {
    if (connection >= flows_.size())
      throw std::out_of_range("it reads flow " + std::to_string(connection) + " (from 0), and the job has " +
                              std::to_string(flows_.size()));
    return flows_[connection];
  }
  /// What may rest on a connection, by what the entry says of its treatment.
  [[nodiscard]] Standing standing(std::size_t connection) const noexcept {
    return connection < standings_.size() ? standings_[connection] : Standing::sound;
  }
  [[nodiscard]] auto begin() const noexcept { return flows_.begin(); }
  [[nodiscard]] auto end() const noexcept { return flows_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return flows_.size(); }

  /// The plugin, its version, the kind of connection, and its options as they were given.
  [[nodiscard]] const PluginRun& run() const noexcept { return run_; }
  /// The values of an option of the plugin; none where it has no such option.
  [[nodiscard]] std::span<const std::string> option(std::string_view name) const {
    for (const auto& [option, values] : run_.options)
      if (option == name)
        return values;
    return {};
  }

private:
  std::span<const JobFlow* const> flows_;
  std::span<const Standing> standings_;
  const PluginRun& run_;
};

/// The conditions of a job, in the order in which they were added.
class Conditions {
public:
  void add(std::string condition) { list_.push_back(std::move(condition)); }

  /// A condition that rests on something that was not seen in `flow`: where the flow's ring lost packets it is
  /// withheld, and `pathspider.uncertain` stands for it (once).
  void add_unseen(const JobFlow& flow, std::string condition) {
    if (flow.ring_drops() == 0)
      add(std::move(condition));
    else
      add_uncertain();
  }

  /// Something cannot be said, because packets were not seen.
  void add_uncertain() { add_once(uncertain); }

  void add_once(std::string_view condition) {
    if (std::find(list_.begin(), list_.end(), condition) == list_.end())
      add(std::string(condition));
  }

  /// Whether a verdict may rest on all of these connections. Where not, what stands in its place is added, once.
  [[nodiscard]] bool may_rest_on(const JobFlows& flows, std::initializer_list<std::size_t> connections) {
    bool may = true;
    for (const auto connection : connections) {
      const auto standing = flows.standing(connection);
      if (standing == Standing::sound)
        continue;
      may = false;
      add_once(standing == Standing::not_observed ? not_observed
               : standing == Standing::untreated  ? untreated
                                                  : uncertain);
    }
    return may;
  }

  [[nodiscard]] const std::vector<std::string>& list() const noexcept { return list_; }

  static constexpr std::string_view uncertain = "pathspider.uncertain";
  static constexpr std::string_view not_observed = "pathspider.not_observed";
  static constexpr std::string_view untreated = "pathspider.untreated";
  static constexpr std::string_view pmtu_suspect = "pathspider.pmtu_suspect";

private:
  std::vector<std::string> list_;
};

/// Reads the flows of a job and says what they mean. It gets at least as many flows as its entry says, one for every
/// configuration. Not called for a job that the spider did not finish. What it throws is told, and the job has the
/// condition `pathspider.uncertain` alone.
using Combine = void (*)(const JobFlows& flows, Conditions& conditions);

/// The combiner of a plugin.
struct CombinerEntry {
  std::string_view plugin;
  Combine combine;
  std::uint32_t min_flows; ///< connections that the plugin makes for a job, at least
  std::span<const FieldUse> fields;
  std::span<const Treatment> treatments;

  /// `fields` is the list of all that `combine` and `treatments` read, a CombinerFields; `{}` where they read none.
  /// There is no default: a run is refused at its start where a stream lacks one of them, and not once its connections
  /// were made. `treatments`: none where the packets of all connections are alike.
  constexpr CombinerEntry(std::string_view plugin, Combine combine, std::uint32_t min_flows,
                          std::span<const FieldUse> fields, std::span<const Treatment> treatments = {}) noexcept
      : plugin(plugin), combine(combine), min_flows(min_flows), fields(fields), treatments(treatments) {}
};

/// Adds prefix.connectivity.works (both), .broken (the baseline only), .transient (the experimental one only), or
/// .offline (neither). It does not ask what the words rest on: the next ones do.
inline void combine_connectivity(bool baseline, bool experimental, std::string_view prefix, Conditions& conditions) {
  const auto* word = baseline ? (experimental ? "works" : "broken") : (experimental ? "transient" : "offline");
  conditions.add(std::string(prefix) + ".connectivity." + word);
}

/// With a baseline alone: online or offline.
inline void combine_connectivity(bool baseline, std::string_view prefix, Conditions& conditions) {
  conditions.add(std::string(prefix) + ".connectivity." + (baseline ? "online" : "offline"));
}

/// Of two connections, as they went, where both may be spoken of.
inline void combine_connectivity(const JobFlows& flows, std::size_t baseline, std::size_t experimental,
                                 std::string_view prefix, Conditions& conditions) {
  if (conditions.may_rest_on(flows, {baseline, experimental}))
    combine_connectivity(flows[baseline]->ok(), flows[experimental]->ok(), prefix, conditions);
}

/// Of one connection, online or offline.
inline void combine_connectivity(const JobFlows& flows, std::size_t baseline, std::string_view prefix,
                                 Conditions& conditions) {
  if (conditions.may_rest_on(flows, {baseline}))
    combine_connectivity(flows[baseline]->ok(), prefix, conditions);
}

/// The same where what counts is an answer that the observer saw or did not see: uncertain where it may have been lost.
inline void combine_answers(const JobFlow& baseline, bool baseline_answered, const JobFlow& experimental,
                            bool experimental_answered, std::string_view prefix, Conditions& conditions) {
  if ((!baseline_answered && baseline.ring_drops() > 0) || (!experimental_answered && experimental.ring_drops() > 0))
    conditions.add_uncertain();
  else
    combine_connectivity(baseline_answered, experimental_answered, prefix, conditions);
}

/// Whether the packets of every connection were seen leaving.
[[nodiscard]] inline bool all_observed(const JobFlows& flows) {
  for (std::size_t connection = 0; connection < flows.size(); ++connection)
    if (!flows[connection]->observed() || flows.standing(connection) == Standing::not_observed)
      return false;
  return true;
}

/// Whether a flow was seen to be a connection, as the field `tcp_connected` says. Where it was not and its ring lost
/// packets, it may have been one: that is said, as what follows from it is withheld.
[[nodiscard]] inline bool connected(const JobFlow& flow, FieldRef tcp_connected, Conditions& conditions) {
  if (!flow.observed() || flow.is(tcp_connected))
    return flow.observed();
  if (flow.ring_drops() > 0)
    conditions.add_uncertain();
  return false;
}

} // namespace orbweaver

/// Exports the combiners of a shared object; once in it, outside of any namespace:
///
///   ORBWEAVER_EXPORT_CONDITIONS({"mine", combine_mine, 2, fields, treatments})
#define ORBWEAVER_EXPORT_CONDITIONS(...)                                                                               \
  namespace {                                                                                                          \
  constexpr orbweaver::CombinerEntry orbweaver_combiners[] = {__VA_ARGS__};                                            \
  }                                                                                                                    \
  extern "C" {                                                                                                         \
  [[gnu::visibility("default")]] extern const orbweaver::SharedTable orbweaver_conditions;                             \
  const orbweaver::SharedTable orbweaver_conditions{orbweaver::conditions_interface_version,                           \
                                                    std::size(orbweaver_combiners), orbweaver_combiners};              \
  }
