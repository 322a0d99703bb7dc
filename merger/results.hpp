// SPDX-License-Identifier: GPL-3.0-or-later
// A job that is done, as a line of the output: its own members, then `time`, `conditions`, and where asked for
// `missed_flows` and `flow_results`. Owned by the merger's measurement; one thread.
#pragma once

#include "common/json/members.hpp"
#include "merger/conditions.hpp"
#include "merger/flow_fields.hpp"
#include "merger/job_flow.hpp"
#include "merger/job_table.hpp"
#include "merger/sinks/ndjson_writer.hpp"

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

  /// `streams` are the flow streams' headers, as JobConnection::stream counts them.
  ResultWriter(const std::vector<const StreamHeader*>& streams, const CombinerEntry& combiner,
               const ResultOptions& options, Warn warn);

  /// The line of a job whose connections wait for nothing more, with its newline; valid until the next call.
  [[nodiscard]] std::string_view line(Job& job);

  /// Conditions where the plugin's own cannot be had.
  static constexpr std::string_view unfinished = "pathspider.unfinished";
  static constexpr std::string_view discarded = "pathspider.discarded";

private:
  struct Stream {
    explicit Stream(const StreamHeader& header) : fields(header), writer(header) {}
    FlowFields fields;
    NdjsonWriter writer;
  };

  [[nodiscard]] Conditions conditions_of(const Job& job, std::size_t missed_flows);
  void append_flow_result(const Job& job, const JobConnection& connection);
  [[nodiscard]] std::string connection_members(const Job& job, const JobConnection& connection);
  void append_flow_members(const Job& job, const JobConnection& connection);
  void warn_of(std::string_view key, std::string_view flow_value, std::string_view connection_value);

  std::vector<Stream> streams_;
  CombinerEntry combiner_;
  ResultOptions options_;
  Warn warn_;
  std::set<std::string, std::less<>> warned_;
  std::string line_;
  std::string flow_text_;
  std::vector<json::Member> own_;  ///< members of a connection's record
  std::vector<json::Member> flow_; ///< members of a flow
};

} // namespace orbweaver
