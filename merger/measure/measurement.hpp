// SPDX-License-Identifier: GPL-3.0-or-later
// The active merger: joins the flows of any number of streams with the jobs of one, and writes a result for each job as
// soon as its last connection is decided. No job is lost: one that the spider did not finish is written with what there
// is. Events of flow streams are counted and not used. One thread.
//
// A ring that has nothing now is waited for; files always have something. So that a recorded stream does not run ahead
// of the others, a stream is read only while it is at most `lead_s` ahead of those that have something to read.
#pragma once

#include "common/json/members.hpp"
#include "common/process/counters.hpp"
#include "common/stream/record_reader.hpp"
#include "merger/follow/snapshots.hpp"
#include "merger/join/join.hpp"
#include "merger/measure/job_table.hpp"
#include "merger/measure/results.hpp"
#include "merger/merger.hpp"
#include "merger/rotation.hpp"
#include "merger/rows/digest.hpp"
#include "merger/rows/row.hpp"
#include "merger/sinks/output.hpp"
#include "merger/stream_loop.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// What is kept at most. Where there is more, the oldest makes room: a job is written as it is.
struct MeasurementLimits {
  std::uint32_t max_jobs = 1 << 20;
  std::uint64_t max_job_octets = std::uint64_t{1} << 30; ///< their texts, connections and flows
};

/// How often a state is written down, where it is not urgent.
struct SnapshotPace {
  std::uint64_t least_between_ns = 100'000'000;
  std::uint64_t times = 50; ///< so many times what the last one took: it then takes a fiftieth of all time
};

struct MeasurementOptions {
  JoinOptions join;
  MeasurementLimits limits;
  SnapshotPace pace;
  bool output_flows = false;
  bool digest = false;
};

/// Lowers what is kept at most to what fits where so much memory is left: a quarter for jobs, an eighth for flows that
/// wait, half of that for their texts.
void keep_within(std::uint64_t left_octets, MeasurementOptions& options) noexcept;

/// The combiner for a stream of jobs, by the plugin that made them. `asked`: that of the one that they should be of;
/// nullptr: any. Throws Error that says what does not fit: the plugin, or how many connections it makes for a job.
[[nodiscard]] CombinerEntry combiner_of(const StreamDescription& jobs, const std::string& name,
                                        const CombinerEntry* asked);

class Measurement final : private StreamSink, private JoinSink {
public:
  /// So many records whose members are bad are named; all are counted.
  static constexpr std::uint64_t max_named = 10;
  /// More connections than any plugin makes for a job; a record that says more is damaged.
  static constexpr std::uint32_t max_connections = 4096;

  /// `jobs` is a stream of jobs, `flows` are streams of flows (there may be none). `output` must outlive this, and
  /// `rotation`, which is there where the output is one file after another and knows the flow streams, or one stream:
  /// then the connections' ends are the clock. With snapshots it may be followed by another one: it goes on where a
  /// predecessor stopped, whose mark `output` was opened with, if that can. What it died of goes to `poison_fd` (-1:
  /// nowhere). Throws Error where they and the combiner do not go together: see FlowFields; and where what was left
  /// does not fit.
  Measurement(RecordReader jobs, std::vector<RecordReader> flows, Output& output, const CombinerEntry& combiner,
              const MeasurementOptions& options, PublishCounters publish, ResultWriter::Warn warn,
              Rotation* rotation = nullptr, Snapshots* snapshots = nullptr, int poison_fd = -1);

  /// As Merger::tell().
  void tell(std::uint64_t now_ns);

  /// As Merger::can_be_followed() and Merger::note().
  [[nodiscard]] bool can_be_followed() const noexcept { return snapshots_ != nullptr; }
  void note();

  /// As Merger::run().
  bool run(const std::atomic<bool>& stop);

  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }
  /// As StreamLoop::warnings().
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept { return loop_.warnings(); }
  [[nodiscard]] const Digest& digest() const noexcept { return digest_; }
  /// What it took to be ready to be followed.
  struct SnapshotCost {
    std::uint64_t count = 0;
    std::uint64_t octets = 0; ///< of the largest
    std::uint64_t all_ns = 0;
    std::uint64_t longest_ns = 0;
  };
  [[nodiscard]] const SnapshotCost& snapshots() const noexcept { return snapshot_cost_; }
  /// Places: MergerCounter. At the end:
  ///   jobs_received = jobs_written + jobs_dropped
  ///   connections_received = connections_joined + missed_never_seen + missed_ring_drop + missed_expired +
  ///                          missed_no_port + missed_not_sent
  ///   flows_received = flows_joined + flows_unclaimed
  [[nodiscard]] std::span<const std::uint64_t> counters() const noexcept { return counters_; }

private:
  struct Stream {
    explicit Stream(const StreamDescription& stream) : rows(stream) {}
    StreamRows rows;           ///< of flows
    std::uint64_t taken = 0;   ///< flows, or jobs
    std::uint64_t records = 0; ///< of any kind, where there are snapshots
    bool has_nothing = false;  ///< now, or any more
  };

  bool is_due(std::size_t stream) noexcept override;
  std::size_t take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) override;
  void ended(std::size_t stream, bool whole) override;
  [[nodiscard]] std::string taken(std::size_t stream) const override;
  [[nodiscard]] bool failed() const override {
    return output_.failed() || (rotation_ && !rotation_->failure().empty());
  }
  bool may_secure(bool urgent) override;
  void secure() override;
  void hand_on();
  void quiet() override;
  void housekeep(std::uint64_t now_ns) override;
  void joined(ConnectionRef connection, const JoinedFlow& flow) override;
  void missed(ConnectionRef connection, MissedCause cause) override;

  void save(StateWriter& state) const;
  void restore(StateReader& state);
  void check_job(const Job& job);
  bool check_row(std::size_t flow_stream, const RecordHeader& record);
  [[nodiscard]] bool may_be_read(std::size_t stream, const RecordHeader& record, std::uint64_t number);
  void step_over(std::size_t stream, const RecordHeader& record);
  [[nodiscard]] std::string_view line_with_notes(Job& job);
  [[nodiscard]] bool give_out(const Job& job);

  bool take_flow_record(std::size_t flow_stream, const RecordHeader& header, std::string& why);
  bool take_job_record(const RecordHeader& record, std::string& why);
  bool take_job(const JobRecord& record, std::string& why);
  void abandon(std::uint64_t last_id);
  bool take_connection(const ConnectionRecord& record, std::string& why);
  template <typename NameOf>
  bool split(std::string_view members, NameOf&& of);
  void tell_jobs_clock() noexcept;
  void look_for_boundary();
  void complete(const FileSpan& span, bool has_next);
  void do_completion();
  void make_room();
  void give_up(JobTable::Place place);
  void no_more_connections(JobTable::Place place);
  void write_if_decided(JobTable::Place place);
  void write(JobTable::Place place);

  StreamLoop loop_;
  std::vector<Stream> streams_; ///< the jobs first
  Output& output_;
  Rotation* rotation_;
  std::uint64_t octets_before_ = 0; ///< written before the file at work
  Completion completion_{};
  bool wants_secured_ = false; ///< something that should not be forgotten
  MeasurementOptions options_;
  PluginRun run_;
  PublishCounters publish_;
  ResultWriter::Warn warn_;
  JobTable jobs_;
  Join join_;
  ResultWriter results_;
  Snapshots* snapshots_; ///< nullptr: there are none
  int poison_fd_;
  SnapshotCost snapshot_cost_;
  std::uint64_t next_snapshot_ns_ = 0; ///< not before, unless it is urgent
  std::uint64_t jobs_stepped_over_ = 0;
  std::vector<json::Member> members_; ///< of the record at hand
  std::uint64_t last_job_id_ = 0;     ///< the highest so far
  std::uint64_t jobs_s_ = 0;          ///< when the connection read last had ended; never: no more come
  Digest digest_;
  std::array<std::uint64_t, MergerCounter::count> counters_{};
  std::vector<std::string> problems_;
};

} // namespace orbweaver
