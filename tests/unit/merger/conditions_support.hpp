// SPDX-License-Identifier: GPL-3.0-or-later
// Flows that are made up field by field, for tests of combiners.
#pragma once

#include "merger/conditions/library.hpp"
#include "merger/conditions/standing.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::test {

/// A flow as a combiner sees it; observed and OK unless told otherwise.
class MadeFlow final : public JobFlow {
public:
  MadeFlow() = default;
  /// Fields that it has.
  MadeFlow(std::map<std::string, std::int64_t, std::less<>> fields) : fields_(std::move(fields)) {}

  MadeFlow& with(ConnectionState state) { return state_ = state, *this; }
  MadeFlow& with(const std::string& field, std::int64_t value) { return fields_[field] = value, *this; }
  MadeFlow& with_member(const std::string& pointer, const std::string& text) { return members_[pointer] = text, *this; }
  MadeFlow& unobserved() { return observed_ = false, *this; }
  MadeFlow& with_drops() { return drops_ = 3, *this; }
  MadeFlow& udp() { return protocol_ = 17, *this; }
  MadeFlow& with_error(const std::string& error) { return error_ = error, *this; }

  [[nodiscard]] bool has(std::string_view field) const { return fields_.contains(field); }

  [[nodiscard]] bool observed() const override { return observed_; }
  [[nodiscard]] ConnectionState state() const override { return state_; }
  [[nodiscard]] std::uint8_t protocol() const override { return protocol_; }
  [[nodiscard]] std::uint64_t ring_drops() const override { return drops_; }
  [[nodiscard]] std::optional<std::int64_t> number(FieldRef field) const override {
    const auto found = fields_.find(field.use()->name);
    return found == fields_.end() || !observed_ ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::string error() const override { return error_; }
  [[nodiscard]] std::optional<std::string> member(std::string_view pointer) const override {
    const auto found = members_.find(pointer);
    return found == members_.end() ? std::nullopt : std::optional(found->second);
  }

private:
  std::map<std::string, std::int64_t, std::less<>> fields_;
  std::map<std::string, std::string, std::less<>> members_;
  std::string error_;
  ConnectionState state_ = ConnectionState::ok;
  bool observed_ = true;
  std::uint64_t drops_ = 0;
  std::uint8_t protocol_ = 6;
};

using Words = std::vector<std::string>;

/// What is said of these flows of a plugin, as they are.
[[nodiscard]] inline Words combine_as_is(std::string_view plugin, const std::vector<MadeFlow>& flows,
                                         const PluginRun& run = {}) {
  std::vector<const JobFlow*> pointers;
  for (const auto& flow : flows)
    pointers.push_back(&flow);
  const auto entry = find_combiner(plugin);
  const auto standings = standings_of(pointers, run, entry);
  const JobFlows all(pointers, run, standings);
  Conditions conditions;
  entry.combine(all, conditions);
  hint_at_mtu(all, conditions);
  return conditions.list();
}

/// The same, where what they do not say of their treatment is as it should be.
[[nodiscard]] inline Words combine(std::string_view plugin, std::vector<MadeFlow> flows, const PluginRun& run = {}) {
  const auto entry = find_combiner(plugin);
  const JobFlows options({}, run);
  for (std::size_t connection = 0; connection < flows.size(); ++connection)
    for (const auto& treatment : entry.treatments) {
      auto& flow = flows[connection];
      const std::string field(treatment.field.use()->name);
      if (connection < treatment.of.first || connection > treatment.of.last)
        continue;
      if (treatment.seen && !flow.has(treatment.seen->use()->name))
        flow.with(std::string(treatment.seen->use()->name), 1);
      if (flow.has(field) || treatment.may_be_unseen || !treatment.option.empty() ||
          (treatment.otherwise && flow.has(treatment.otherwise->use()->name)))
        continue;
      flow.with(field, treatment.any ? 1 : treatment.value);
    }
  return combine_as_is(plugin, flows, run);
}

[[nodiscard]] inline bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

} // namespace orbweaver::test
