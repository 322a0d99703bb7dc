// SPDX-License-Identifier: GPL-3.0-or-later
// A job that is done, as a line of the output: its own members, then `time`, `conditions`, and where asked for
// `missed_flows` and `flow_results`. Owned by the merger's measurement; one thread.
#pragma once

#include "common/json/members.hpp"
#include "merger/conditions.hpp"
#include "merger/measure/job_flow.hpp"
#include "merger/measure/job_table.hpp"
#include "merger/rows/flow_fields.hpp"
#include "merger/sinks/json_rows.hpp"

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// A time in nanoseconds since the epoch as PATHspider prints it: UTC, `2026-11-21 16:30:09.012345`.
[[nodiscard]] std::string time_text(std::uint64_t ns);

/// The members that a job takes along to its result: all but those that begin with `_`, and, for one that has
/// connections, those that the result has itself. `members` is from split_members.
[[nodiscard]] std::string carried_members(const std::vector<json::Member>& members, bool has_connections);

struct ResultOptions {
  bool output_flows = false;
  bool server_mode = false;
};

class ResultWriter {
public:
  /// Takes a sentence about something that is odd, but no error.
  using Warn = std::function<void(const std::string&)>;

  struct FlowStream {
    const TableDescription& flows;
    const std::string& name;
  };

  /// `streams` are as JobConnection::stream counts them; `run` must outlive this. Throws what FlowFields throws, and
  /// Error where the combiner reads fields and there is no flow stream.
  ResultWriter(const std::vector<FlowStream>& streams, const CombinerEntry& combiner, const PluginRun& run,
               const ResultOptions& options, Warn warn);

  /// Jobs at which the conditions' function threw.
  [[nodiscard]] std::uint64_t combiner_failures() const noexcept { return combiner_failures_; }

  void resume(std::uint64_t combiner_failures) noexcept { combiner_failures_ = combiner_failures; }

  /// The line of a job whose connections wait for nothing more, with its newline; valid until the next call.
  [[nodiscard]] std::string_view line(Job& job);
  /// The same where neither the conditions' function nor the flows are to be touched, since mergers died of them: a
  /// failure of the conditions.
  [[nodiscard]] std::string_view line_of_poison(Job& job);

  /// Conditions where the plugin's own cannot be had.
  static constexpr std::string_view unfinished = "pathspider.unfinished";
  static constexpr std::string_view discarded = "pathspider.discarded";

private:
  struct Stream {
    Stream(const TableDescription& flows, const CombinerEntry& combiner, const std::string& name);
    FlowFields fields;
    FlowFields standing_fields;
    JsonRows rows;
    std::vector<std::string> names, mirrors; ///< of the fields, in order
    std::vector<JsonRows::Wanted> wanted;    ///< those that do not stay inside
  };
  struct Member {
    std::string key; ///< as it is written
    std::string value;
  };

  std::string_view line(Job& job, bool is_poison);
  [[nodiscard]] Conditions conditions_of(const Job& job, std::size_t missed_flows, bool is_poison);
  void append_flow_result(Job& job, const JobConnection& connection);
  void collect_members(const Job& job, const JobConnection& connection);
  void append_flow_members(Job& job, const JobConnection& connection);
  [[nodiscard]] const Member* own(std::string_view key) const;
  void warn_of(const Member& member, std::string_view flow_value);

  std::vector<Stream> streams_;
  CombinerEntry combiner_;
  const PluginRun& run_;
  ResultOptions options_;
  Warn warn_;
  std::uint64_t combiner_failures_ = 0;
  std::set<std::string, std::less<>> warned_;
  std::string line_;
  std::string flow_text_;
  std::vector<Member> own_;         ///< members of a connection's record
  std::vector<json::Member> given_; ///< those of them that the spider gave
};

} // namespace orbweaver
