// SPDX-License-Identifier: GPL-3.0-or-later
// Flows that are made up field by field, for tests of combiners.
#pragma once

#include "merger/conditions/library.hpp"

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

  [[nodiscard]] bool observed() const override { return observed_; }
  [[nodiscard]] ConnectionState state() const override { return state_; }
  [[nodiscard]] std::uint8_t protocol() const override { return protocol_; }
  [[nodiscard]] std::uint64_t ring_drops() const override { return drops_; }
  [[nodiscard]] std::optional<std::int64_t> number(FieldRef field) const override {
    const auto found = fields_.find(field.use()->name);
    return found == fields_.end() || !observed_ ? std::nullopt : std::optional(found->second);
  }
  [[nodiscard]] std::optional<std::string> member(std::string_view pointer) const override {
    const auto found = members_.find(pointer);
    return found == members_.end() ? std::nullopt : std::optional(found->second);
  }

private:
  std::map<std::string, std::int64_t, std::less<>> fields_;
  std::map<std::string, std::string, std::less<>> members_;
  ConnectionState state_ = ConnectionState::ok;
  bool observed_ = true;
  std::uint64_t drops_ = 0;
  std::uint8_t protocol_ = 6;
};

using Words = std::vector<std::string>;

/// What a plugin's combiner says of these flows.
[[nodiscard]] inline Words combine(std::string_view plugin, const std::vector<MadeFlow>& flows,
                                   const PluginRun& run = {}) {
  std::vector<const JobFlow*> pointers;
  for (const auto& flow : flows)
    pointers.push_back(&flow);
  Conditions conditions;
  find_combiner(plugin).combine({pointers, run}, conditions);
  return conditions.list();
}

[[nodiscard]] inline bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

} // namespace orbweaver::test
