// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/observer.hpp"

#include "common/error.hpp"
#include "common/process/duty_cycle.hpp"
#include "common/stream/poison.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <limits>
#include <spdlog/spdlog.h>

namespace orbweaver {

namespace {

template <typename Record>
const Record& as(const RecordHeader& record) noexcept {
  return reinterpret_cast<const Record&>(record);
}

/// Writes rows as records; waits while the ring is full, and counts what nobody is there to take. After a stop it waits
/// for who reads, but for nobody who has not come yet.
class RecordSink final : public RowSink {
public:
  RecordSink(RecordWriter& writer, const std::atomic<bool>& stop, KeptFlows* kept) noexcept
      : writer_(writer), stop_(stop), kept_(kept) {
    if (kept_) {
      emitted_ = kept_->rows[0];
      events_emitted_ = kept_->rows[1];
      dropped_ = kept_->left.dropped_flows;
    }
  }
  /// The same once more, when what a predecessor left is settled.
  void begin_again() noexcept {
    emitted_ = kept_->rows[0];
    events_emitted_ = kept_->rows[1];
  }

  void row(const Row& row) noexcept override {
    const bool with_tails = row.octets() <= writer_.max_record_bytes();
    const auto length = static_cast<std::uint32_t>(with_tails ? row.octets() : row.fixed_octets());
    std::byte* const place = claim(length);
    if (!place) {
      ++(row.table == 0 ? dropped_ : events_dropped_);
      if (kept_ && row.table == 0) {
        ++kept_->leaving.after.dropped_flows;
        in_order();
        kept_->leaving.is_gone = true;
        in_order();
      }
      return;
    }
    prefetch_for_write(place + 16 * std::size_t{length}); // the merger has it: 35 ns a flow, waited for at each store
    row.copy_to(place, with_tails);
    auto& count = row.table == 0 ? emitted_ : events_emitted_;
    ++count;
    if (kept_)
      commit_kept(place, length, row.table, count);
    else
      writer_.commit(place, length, RecordKind::row, row.table);
    tails_dropped_ += !with_tails;
  }

  /// Gives a tick or a loss on, so that who joins flows knows up to when this observer has seen, and when it was blind.
  template <typename Record>
  void forward(const Record& record, RecordKind kind) noexcept {
    if (std::byte* const place = claim(sizeof record)) {
      std::memcpy(place, &record, sizeof record);
      writer_.commit(place, sizeof record, kind);
    }
  }

  [[nodiscard]] std::uint64_t emitted() const noexcept { return emitted_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
  [[nodiscard]] std::uint64_t events_emitted() const noexcept { return events_emitted_; }
  [[nodiscard]] std::uint64_t events_dropped() const noexcept { return events_dropped_; }
  /// Rows whose values of variable length were too long for the stream.
  [[nodiscard]] std::uint64_t tails_dropped() const noexcept { return tails_dropped_; }

private:
  /// Once the row is kept it has been given out, whatever happens; before that it has not.
  void commit_kept(std::byte* place, std::uint32_t length, std::uint16_t table, std::uint64_t count) noexcept {
    auto& pending = kept_->pending;
    pending.position = KeptFlows::nowhere;
    in_order();
    pending.place = table != 0;
    pending.count = count;
    in_order();
    pending.position = writer_.position() + record_stride(length);
    in_order();
    writer_.commit(place, length, RecordKind::row, table);
    writer_.keep();
    in_order();
    kept_->rows[table != 0] = count;
  }

  /// Place for a record; waits while the ring is full. nullptr where nobody reads it.
  std::byte* claim(std::uint32_t length) noexcept {
    std::byte* place = writer_.claim(length);
    while (!place && !gone_) {
      gone_ = writer_.wait_for_last_room(length, stop_) != Room::available;
      place = gone_ ? nullptr : writer_.claim(length);
    }
    return place;
  }

  RecordWriter& writer_;
  const std::atomic<bool>& stop_;
  KeptFlows* const kept_;
  bool gone_ = false; ///< the reader left, or never came: not waited for again
  std::uint64_t emitted_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t events_emitted_ = 0;
  std::uint64_t events_dropped_ = 0;
  std::uint64_t tails_dropped_ = 0;
};

class Observer {
public:
  Observer(RecordReader& reader, RecordWriter& writer, const ChainSet& chains, const FlowMeterOptions& options,
           const std::atomic<bool>& stop, Stage& stage, const KeptTable* kept, const StageOptions& stage_options)
      : reader_(reader), writer_(writer), stop_(stop), stage_(stage), stage_options_(stage_options),
        kept_(kept ? &kept->flows() : nullptr), sink_(writer, stop, kept_), meter_(chains, options, sink_, kept) {
    if (kept && kept->is_left())
      take_over();
    else if (kept_)
      note_place();
  }

  ObserverResult run() {
    ObserverResult result;
    std::array<const PacketRecord*, FlowMeter::max_batch> packets{};
    const auto is_next_packet = [this](const RecordHeader& header, const RecordHeader* copy) noexcept {
      if (!is_packet(header, copy)) [[unlikely]]
        return false;
      meter_.announce(as<PacketRecord>(*copy));
      return true;
    };
    for (bool going = true; going;) {
      const std::size_t count = reader_.peek_while<const PacketRecord>(packets, is_next_packet);
      if (count > 0)
        handle({packets.data(), count});
      else if (!handle_other()) {
        writer_.publish(Wake::when_much);
        housekeep();
        going = wait(result);
        continue;
      }
      if (kept_)
        note_place();
      reader_.release();
      if (++batches_ % 256 == 0)
        housekeep();
      going = !stop_.load(std::memory_order_relaxed);
    }
    meter_.flush();
    housekeep();
    if (writer_.is_finished()) // a predecessor came as far as that
      return result;
    const EndCause cause = !result.complete ? EndCause::failed : ended_ ? cause_ : EndCause::interrupted;
    if (!writer_.finish(cause, stop_) && result.complete) {
      result = {false, writer_.failure()};
      if (result.problem.empty())
        result.problem =
            writer_.name() + ": nobody reads it; " + std::to_string(sink_.dropped()) + " flows could not be given out";
    }
    housekeep();
    result.warning = warning_;
    return result;
  }

private:
  static constexpr auto is_packet = [](const RecordHeader& header, const RecordHeader* copy) noexcept {
    return header.kind == RecordKind::packet && packet_record_valid(header.length, copy);
  };

  void handle(std::span<const PacketRecord* const> packets) noexcept {
    last_ns_ = std::max(last_ns_, packets.back()->time_ns);
    if (kept_) {
      kept_->batches[kept_->current].packets = packets.size();
      in_order();
    }
    meter_.packets(packets);
    received_ += packets.size();
  }

  /// All before this place has been handled: a follower begins here.
  void note_place() noexcept {
    auto& next = kept_->batches[1 - kept_->current % 2];
    next = {.position = reader_.position(), .received = received_, .lost = lost_, .packets = 0, .last_ns = last_ns_};
    in_order();
    kept_->current = 1 - kept_->current % 2;
    in_order();
  }

  /// A predecessor died. What it was at is settled, all of its flows that are whole are given out, and this observer
  /// goes on at the packet that was at work, or behind it where it kills.
  void take_over() {
    constexpr std::uint32_t most_recoveries = 3;
    kept_->is_ticking = kept_->is_ticking && kept_->batches[kept_->current % 2].packets > 0;
    // What it left kills too, where nobody else does.
    kept_->recoveries = stage_options_.takes_over == SIGKILL ? 0 : kept_->recoveries + 1;
    const bool discard = kept_->recoveries > most_recoveries;
    const KeptFlows::Batch batch = kept_->batches[kept_->current % 2];
    const KeptFlows::Left before = kept_->left;
    if (!reader_.resume_at(batch.position))
      throw Error(reader_.name() + ": what an observer left of it does not fit: it was at " +
                  std::to_string(batch.position));
    received_ = batch.received;
    lost_ = batch.lost;
    last_ns_ = batch.last_ns;
    const auto handled =
        static_cast<std::uint16_t>(meter_.settle(writer_.taken_over_at()) + batch.lost - batch.received);
    sink_.begin_again();
    if (handled > batch.packets)
      throw Error(reader_.name() + ": what an observer left of it does not fit: it had handled " +
                  std::to_string(handled) + " of " + std::to_string(batch.packets) + " packets");
    std::array<const PacketRecord*, FlowMeter::max_batch> packets{};
    for (std::uint64_t rest = handled; rest > 0;) {
      const auto count =
          reader_.peek_while<const PacketRecord>(std::span(packets).first(std::min(rest, packets.size())), is_packet);
      if (count == 0)
        throw Error(reader_.name() + ": packets that an observer had handled are not there any more");
      rest -= count;
      last_ns_ = std::max(last_ns_, packets[count - 1]->time_ns);
    }
    received_ += handled;
    const std::uint64_t cut_ns = last_ns_;
    if (handled < batch.packets)
      look_at_packet();
    tell_cut(cut_ns);
    note_place();
    meter_.give_out_left(discard);
    kept_->recoveries = 0;
    spdlog::info("goes on where the last one stopped: {} flows given out as they were, {} broken off",
                 kept_->left.interrupted_flows - before.interrupted_flows,
                 kept_->left.broken_flows - before.broken_flows);
    housekeep();
  }

  /// Flows that go on here end where the predecessor stopped, and begin again: who looks at one of the two does not see
  /// all of it. A moment in which packets were lost, though none may have been.
  void tell_cut(std::uint64_t from_ns) noexcept {
    const LossRecord loss{{sizeof loss, RecordKind::loss, 0}, 0, from_ns, std::max(from_ns, last_ns_)};
    sink_.forward(loss, RecordKind::loss);
  }

  /// The packet that was at work when a predecessor died. The second time that it kills it is stepped over.
  void look_at_packet() {
    const auto place = reader_.position();
    const PacketRecord* packet = nullptr;
    if (reader_.peek_while<const PacketRecord>(std::span(&packet, 1), is_packet) == 0)
      return;
    last_ns_ = std::max(last_ns_, packet->time_ns);
    if (!kept_->is_ticking)
      meter_.break_off(PacketView(packet));
    const bool by_itself = stage_options_.takes_over != SIGKILL;
    if (by_itself && kept_->died_at == place) {
      ++lost_;
      ++received_;
      ++kept_->poison;
      spdlog::error("a packet that an observer died of twice is stepped over");
      if (stage_options_.poison_fd >= 0 && !write_poison(stage_options_.poison_fd, reader_.stream(), packet->header))
        spdlog::warn("it cannot be given out: {}", errno_text());
      return;
    }
    kept_->died_at = by_itself ? place : KeptFlows::nowhere;
    if (!reader_.resume_at(place))
      throw Error(reader_.name() + ": the place of the packet at work is not there any more");
  }

  /// The next record, which is no packet; false where there is none now.
  bool handle_other() noexcept {
    const RecordHeader* record = nullptr;
    if (reader_.peek({&record, 1}) == 0)
      return false;
    if (is_packet(*record, record)) { // it has come since
      const auto* const packet = &as<PacketRecord>(*record);
      handle({&packet, 1});
    } else if (record->kind == RecordKind::tick && record->length == sizeof(TickRecord)) {
      const auto& tick = as<TickRecord>(*record);
      meter_.tick(tick.second);
      sink_.forward(tick, RecordKind::tick);
    } else if (record->kind == RecordKind::origin && record->length == sizeof(OriginRecord)) {
      const auto& origin = as<OriginRecord>(*record);
      meter_.moved(origin.offset_ns);
      last_ns_ = 0; // those to come may say earlier times
      sink_.forward(origin, RecordKind::origin);
    } else if (record->kind == RecordKind::loss && record->length == sizeof(LossRecord)) {
      const auto& loss = as<LossRecord>(*record);
      meter_.lost(loss.packets, loss.to_ns);
      sink_.forward(loss, RecordKind::loss);
    } else if (record->kind == RecordKind::end && record->length == sizeof(EndRecord)) {
      const auto& end = as<EndRecord>(*record);
      cause_ = end.cause;
      warning_ = reader_.warning_of(end);
      ended_ = true;
    } else {
      reader_.mark_damaged_at(record, "a record of kind " + std::to_string(static_cast<unsigned>(record->kind)) +
                                          " and length " + std::to_string(record->length) +
                                          " is none that an observer reads");
    }
    return true;
  }

  /// Waits for records; false where none will come.
  bool wait(ObserverResult& result) {
    switch (reader_.wait(stop_)) {
    case Wait::readable:
    case Wait::quiet:
      return true;
    case Wait::cut_off:
      result = {false, reader_.name() + " was cut off: its producer ended without saying so; the packets until there "
                                        "are counted"};
      lose_the_rest();
      return false;
    case Wait::damaged:
      result = {false, reader_.damage()};
      lose_the_rest();
      return false;
    case Wait::ended:
    case Wait::stopped:
      break;
    }
    return false;
  }

  /// Nobody watches any more: what comes from now on is not seen, which does not say that it does not come.
  void lose_the_rest() noexcept {
    const LossRecord loss{{sizeof loss, RecordKind::loss, 0}, 1, last_ns_, std::numeric_limits<std::uint64_t>::max()};
    meter_.lost(loss.packets, loss.to_ns);
    sink_.forward(loss, RecordKind::loss);
  }

  void housekeep() noexcept {
    const std::uint64_t now = monotonic_ns();
    duty_.look(now);
    reader_.housekeep(now);
    writer_.housekeep(now);
    namespace C = ObserverCounter;
    const FlowMeterCounters& meter = meter_.counters();
    const auto ended = [&](EndReason reason) { return meter.ended[static_cast<std::size_t>(reason)]; };
    std::array<std::uint64_t, C::count> counters{};
    counters[C::packets_received] = received_;
    counters[C::packets_counted] = meter.packets_counted;
    counters[C::packets_ignored] = meter.packets_ignored;
    counters[C::packets_lost] = meter.packets_lost;
    if (kept_) {
      counters[C::packets_broken] = kept_->left.broken + lost_;
      counters[C::flows_broken] = kept_->left.broken_flows;
      counters[C::flows_interrupted] = kept_->left.interrupted_flows;
    }
    counters[C::icmp_errors] = meter.icmp_errors;
    counters[C::flows_opened] = meter.flows_opened;
    counters[C::flows_emitted] = sink_.emitted();
    counters[C::flows_open] = meter_.open_flows();
    counters[C::flows_dropped] = sink_.dropped();
    counters[C::flows_vetoed] = meter.flows_vetoed;
    counters[C::ended_idle] = ended(EndReason::idle_timeout);
    counters[C::ended_active] = ended(EndReason::active_timeout);
    counters[C::ended_complete] = ended(EndReason::end_of_flow);
    counters[C::ended_forced] = ended(EndReason::forced_end);
    counters[C::ended_resources] = ended(EndReason::lack_of_resources);
    counters[C::table_octets] = meter_.memory_bytes();
    counters[C::events_emitted] = sink_.events_emitted();
    counters[C::events_dropped] = sink_.events_dropped();
    const FlowMemory::Counters& memory = meter_.flow_memory().counters();
    counters[C::flow_memory_octets] = memory.octets;
    counters[C::values_without_memory] = memory.full;
    counters[C::values_too_long] = memory.too_long + sink_.tails_dropped();
    counters[C::clock_second] = meter_.clock();
    counters[C::stall_max_ns] = duty_.stall_max_ns();
    counters[C::stall_max_second] = duty_.stall_max_second();
    for (const auto place :
         {C::events_dropped, C::values_without_memory, C::values_too_long}) // not kept with the flows
      counters[place] += stage_.counters_before()[place];
    stage_.publish(counters, now);
  }

  RecordReader& reader_;
  RecordWriter& writer_;
  const std::atomic<bool>& stop_;
  Stage& stage_;
  const StageOptions& stage_options_;
  KeptFlows* const kept_;
  RecordSink sink_;
  FlowMeter meter_;
  DutyCycle duty_;
  std::uint64_t received_ = 0;
  std::uint64_t lost_ = 0;    ///< packets stepped over
  std::uint64_t last_ns_ = 0; ///< time of the latest packet
  std::uint64_t batches_ = 0;
  EndCause cause_ = EndCause::complete;
  std::string warning_; ///< of the end record
  bool ended_ = false;
};

} // namespace

ObserverResult observe(RecordReader& reader, RecordWriter& writer, const ChainSet& chains,
                       const FlowMeterOptions& options, const std::atomic<bool>& stop, Stage& stage,
                       const KeptTable* kept, const StageOptions& stage_options) {
  return Observer(reader, writer, chains, options, stop, stage, kept, stage_options).run();
}

std::uint64_t flows_that_fit(std::uint64_t memory_octets, std::uint32_t state_bytes) {
  constexpr std::uint64_t index_bytes = 39; // of a flow, right after the index has grown, with the old one still there
  constexpr std::uint64_t timer_bytes = 8;
  const std::uint64_t flow_bytes = (Flow::states_offset + state_bytes + 63) / 64 * 64 + index_bytes + timer_bytes;
  return std::max<std::uint64_t>(memory_octets / flow_bytes, 1);
}

MemoryPlan plan_memory(std::uint64_t left_octets, unsigned observers) {
  const std::uint64_t share = left_octets / std::max(observers, 1U);
  constexpr std::uint64_t most = std::uint64_t{default_flow_memory_mib} << 20;
  return {share / 2, std::min(most, share / 8)};
}

} // namespace orbweaver
