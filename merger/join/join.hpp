// SPDX-License-Identifier: GPL-3.0-or-later
// Brings connections and flows together, whichever comes first: on protocol, the peer's address and port, the local
// port, and overlapping time, so that a port used twice joins twice. Knows nothing of jobs or JSON. One thread.
//
// Time is the packet clock of the flow streams, the slowest of those that go on; a live capture keeps it going from the
// wall clock while no packet comes. A connection waits until the clock is `missed_after_s` past its end, a flow until
// the clock is as much past its coming; but a flow never leaves before the job stream has come as far.
#pragma once

#include "common/process/options/defaults.hpp"
#include "common/stream/records/flow_record.hpp"
#include "common/stream/records/job_record.hpp"
#include "merger/join/flow_window.hpp"
#include "merger/join/loss_times.hpp"
#include "merger/join/waiting_list.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace orbweaver {

/// Why a connection has no flow: `missed_cause` in the output.
enum class MissedCause : std::uint8_t {
  never_seen, ///< no packet of it was on the wire
  ring_drop,  ///< a ring lost packets in its time, or who watched was killed
  expired,    ///< its flow had been let go before, or it could not be waited for as long as it should
  no_port,    ///< it was not begun, for a reason of the plugin's
  not_sent,   ///< the system refused: the connection's `error` says why
};

[[nodiscard]] constexpr std::string_view to_string(MissedCause cause) noexcept {
  constexpr std::string_view names[] = {"never_seen", "ring_drop", "expired", "no_port", "not_sent"};
  return names[static_cast<std::size_t>(cause)];
}

/// The flow of a connection.
struct JoinedFlow {
  std::span<const std::byte> fixed; ///< of its record: the FlowRecord and the chains' states; valid only for the call
  std::span<const std::byte> tail;  ///< what follows that in the record; the same
  std::size_t stream;
  bool reversed; ///< its first packet seen was the answer
  bool lossy;    ///< packets of its observer were lost during the connection
};

class JoinSink {
public:
  virtual ~JoinSink() = default;
  virtual void joined(ConnectionRef connection, const JoinedFlow& flow) = 0;
  virtual void missed(ConnectionRef connection, MissedCause cause) = 0;
};

struct JoinOptions {
  bool server_mode = false;
  std::uint64_t missed_after_s = default_missed_after_s; ///< how long a connection waits for its flow
  /// The answer to a connection that only sends (a forged packet) may come so long after its end.
  std::uint64_t answer_ns = 0;
  std::uint32_t max_flows = 1 << 20;                      ///< that are kept; a power of two
  std::uint64_t max_tail_octets = std::uint64_t{1} << 28; ///< of theirs, what is of variable length
  std::uint32_t remembered = 1 << 17; ///< flows that left unclaimed, known by a hash to have been there; a power of two
};

struct JoinCounters {
  std::uint64_t flows_received = 0;
  std::uint64_t flows_joined = 0;
  std::uint64_t flows_unclaimed = 0;
  std::uint64_t connections_received = 0;
  std::uint64_t connections_joined = 0;
  std::uint64_t missed[5]{}; ///< by MissedCause
};

class Join {
public:
  /// Connection and flow belong together where their times overlap. Where none does, the nearest one that nobody else
  /// has claimed, if it is as near as this: the clock of the capturing hardware and that of the host differ by less,
  /// where anybody looks after them, and packets are stamped in microseconds, connections in nanoseconds.
  static constexpr std::uint64_t slack_ns = 1'000'000'000;

  /// `stream_record_bytes`: octets of the fixed part of each stream's flow records. The sink must outlive the join.
  Join(const std::vector<std::uint32_t>& stream_record_bytes, const JoinOptions& options, JoinSink& sink);

  /// A connection has ended. The sink may be called at once.
  void connection(const ConnectionRecord& record, ConnectionRef ref);

  /// A flow came: a row of its stream's flows.
  void flow(std::size_t stream, RowView row);
  void tick(std::size_t stream, std::uint64_t second);
  /// The clock that stamps packets, and connections too, was set (OriginRecord): what waited then is given up, since
  /// nobody knows which of the two its times are of.
  void moved(std::size_t stream, std::uint64_t offset_ns);
  /// The observer of that stream did not get packets that were captured between these times.
  void lost(std::size_t stream, std::uint64_t from_ns, std::uint64_t to_ns) {
    streams_[stream].losses.add(from_ns, to_ns);
  }
  /// No flow comes from that stream any more; unless it was `whole`, some that were to come did not.
  void stream_ended(std::size_t stream, bool whole);

  /// The job stream has come to this second; `never` where it has ended or has nothing to read now.
  void jobs_at(std::uint64_t second) noexcept { jobs_s_ = second; }
  static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

  /// Lets go whose time is over.
  void advance();

  /// Gives up a connection that waits, if it still does: its job cannot be kept. The sink is called.
  void give_up(ConnectionRef ref, const JoinKey& key);

  /// A connection came whose job could not be kept: counted, the sink is not called.
  void too_late() noexcept {
    ++counters_.connections_received;
    ++counters_.missed[static_cast<std::size_t>(MissedCause::expired)];
  }

  /// All streams have ended: whoever still waits, waits no longer.
  void finish();

  /// A flow of which nothing more is known came, and is let go: counted.
  void stepped_over_flow() noexcept {
    ++counters_.flows_received;
    ++counters_.flows_unclaimed;
  }

  /// Writes down all but the connections that wait, and what these are: in the order in which they came.
  void save(StateWriter& state) const noexcept;
  template <typename Visit>
  void for_each_waiting(Visit&& visit) const {
    for (auto place = waiting_.oldest(); place != WaitingList::none; place = waiting_.newer(place))
      visit(waiting_.at(place).ref);
  }
  /// The reverse, of a join that is new: first restore(), then wait_again() for each that waited, then
  /// check_restored(). `check_row(stream, record)` says whether it is a flow of that stream. Throws Error.
  void restore(StateReader& state, const std::function<bool(std::size_t, const RecordHeader&)>& check_row);
  void wait_again(const ConnectionRecord& record, ConnectionRef ref);
  void check_restored() const;
  /// What save() writes at most.
  [[nodiscard]] static std::uint64_t most_octets(const std::vector<std::uint32_t>& stream_record_bytes,
                                                 const JoinOptions& options) noexcept;

  [[nodiscard]] const JoinCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t flows_waiting() const noexcept {
    return counters_.flows_received - counters_.flows_joined - counters_.flows_unclaimed;
  }
  [[nodiscard]] std::uint32_t connections_waiting() const noexcept { return waiting_.size(); }
  /// The packet clock, in seconds; `never` once no flow stream is left.
  [[nodiscard]] std::uint64_t clock() const noexcept { return clock_s_; }
  [[nodiscard]] std::uint64_t clock(std::size_t stream) const noexcept { return streams_[stream].clock_s; }
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

private:
  struct Stream {
    std::uint32_t record_bytes;
    std::uint64_t clock_s = 0;
    std::uint64_t offset_s = 0; ///< from that to the packet clock, modulo 2^64
    LossTimes losses;
  };
  /// A flow that was let go unclaimed: enough to say so later.
  struct LetGo {
    std::uint64_t key_hash = 0;
    std::uint32_t first_s = 0, last_s = 0;
  };

  [[nodiscard]] WaitingList::Connection waiting_of(const ConnectionRecord& record, ConnectionRef ref) const noexcept;
  void make_room(std::uint32_t tail_octets) noexcept;
  void claim(FlowWindow::Entry& entry, std::uint64_t start_ns) noexcept;
  void join(WaitingList::Place place, FlowWindow::Entry& entry, bool reversed);
  void join(ConnectionRef ref, std::uint64_t start_ns, std::uint64_t stop_ns, FlowWindow::Entry& entry, bool reversed);
  void miss(ConnectionRef ref, MissedCause cause);
  [[nodiscard]] MissedCause cause(const WaitingList::Connection& connection) const noexcept;
  [[nodiscard]] bool lost_between(std::uint64_t from_ns, std::uint64_t to_ns) const noexcept;
  void remove_oldest_flow() noexcept;
  void update_clock() noexcept;

  struct Candidate {
    WaitingList::Place place;
    bool reversed;
  };

  JoinOptions options_;
  JoinSink& sink_;
  std::vector<Stream> streams_;
  FlowWindow flows_;
  WaitingList waiting_;
  std::vector<LetGo> let_go_; ///< by the low bits of the key's hash; a later one displaces an earlier one
  std::vector<Candidate> candidates_;
  std::uint64_t clock_s_ = 0;
  std::uint64_t jobs_s_ = 0;
  bool stream_cut_ = false; ///< a flow stream ended before its time: flows of any connection may have been in it
  JoinCounters counters_;
};

} // namespace orbweaver
