// SPDX-License-Identifier: GPL-3.0-or-later
// The capture stage's run loop: frames of a source in, packet records out to the observers' streams. One thread does
// it all; once a batch it does its housekeeping, with one look at the clock.
//
// Every frame read is accounted for, at the end exactly: read = non-IP + short + filtered +
// duplicates + Σ (delivered + dropped).
#pragma once

#include "capture/dissect/dissector.hpp"
#include "capture/dissect/flow_hash.hpp"
#include "capture/dissect/fragments.hpp"
#include "capture/dissect/frame_dissector.hpp"
#include "capture/filter.hpp"
#include "capture/held_frames.hpp"
#include "capture/packet_clock.hpp"
#include "capture/packet_output.hpp"
#include "capture/seen_frames.hpp"
#include "capture/sources/source.hpp"
#include "common/process/counters.hpp"
#include "common/process/duty_cycle.hpp"
#include "common/stream/record.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

struct CaptureOptions {
  std::uint32_t needs = Need::all; ///< what the packet records carry
  /// Stop after so many packets that pass the filter.
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t seed = 0; ///< of the flow hash: random for each session
  const BpfFilter* filter = nullptr;
  FragmentCache::Limits fragments{};
  TunnelSet tunnels{};              ///< that are taken off
  std::uint64_t deduplicate_ns = 0; ///< frames that are the same within so long count once; 0: all count
  std::uint64_t clock_tolerance_s = default_clock_tolerance_s; ///< 0: the packet clock doubts nothing
  std::function<void(const std::string&)> say{};               ///< what somebody should know while it runs
  /// Of a capture that died and that this one follows: what it had counted, and up to when it had read what came.
  std::span<const std::uint64_t> counters_before{};
  std::uint64_t watched_before_ns = 0;
  std::uint64_t clock_offset_before_ns = 0;
};

/// How a run ended.
struct CaptureResult {
  EndCause cause;
  std::string error; ///< what failed; empty where nothing did
};

class Capture {
public:
  /// Called about ten times a second and at the end, with all counters (CaptureCounter).
  using Publish = std::function<void(std::span<const std::uint64_t> counters, std::uint64_t now_ns)>;

  /// One writer an observer, 1 to max_observers of them. Source and filter stay the caller's. A source that is not live
  /// is read without loss. Throws Error where a stream is too small.
  Capture(Source& source, std::vector<RecordWriter> writers, const CaptureOptions& options,
          const std::atomic<bool>& stop);

  /// Reads the source to its end, to `count`, to a fault, or until `stop` is set; then ends the streams.
  CaptureResult run(const Publish& publish);

  [[nodiscard]] std::uint64_t counter(std::size_t place) const noexcept { return counters_[place]; }
  /// What came up to then has been read; since the epoch.
  [[nodiscard]] std::uint64_t watched_to_ns() const noexcept { return watched_to_ns_; }
  /// From what packets say to the packet clock (OriginRecord).
  [[nodiscard]] std::uint64_t clock_offset_ns() const noexcept { return clock_.offset_ns(); }

private:
  static constexpr std::uint64_t housekeeping_ns = 100'000'000;

  /// What came of a frame that was tried in one way.
  enum class Handled : std::uint8_t {
    done,
    held,      ///< the clock doubts its time: it waits
    not_plain, ///< nothing: it has to go the long way
    lost,      ///< nothing: its octets are lost, and those of the frames after it
  };

  CaptureResult read_all(const Publish& publish);
  CaptureResult finish(CaptureResult result);
  void handle_batch(std::size_t count) noexcept;
  template <typename Stays>
  [[nodiscard]] std::size_t keep(std::size_t count, std::size_t counter_of_others, const Stays& stays) noexcept;
  void handle_marked(PacketDraft& draft) noexcept;
  void count_faults(std::uint8_t faults) noexcept;
  void deliver(PacketDraft& draft) noexcept;
  template <std::uint8_t version>
  [[nodiscard]] [[gnu::always_inline]] inline Handled handle_plain(const Frame& frame) noexcept;
  [[nodiscard]] Handled handle_any(const Frame& frame) noexcept;
  void handle_dissected(Outcome outcome, FrameDissector& dissected) noexcept;
  void handle_tunnels(FrameDissector& dissected) noexcept;
  [[nodiscard]] PacketOutput& output_for(std::uint64_t flow_hash) noexcept {
    return outputs_[shard_of(flow_hash, observers_)];
  }
  // The clock; time_keeping.cpp. Of each of them: whether the frame is to be handled now.
  [[nodiscard]] Handled keep_time(const Frame& frame) noexcept {
    return clock_.is_ordinary(frame.time_ns) ? Handled::done : doubt(frame);
  }
  Handled doubt(const Frame& frame) noexcept;
  void settle_doubts(std::uint64_t time_ns) noexcept;
  void settle_doubts_at_end() noexcept;
  void release_held(bool last_is_right) noexcept;
  void set_origin(std::uint64_t time_ns, std::uint64_t clock_ns) noexcept;
  void advance_clock(std::uint64_t time_ns) noexcept {
    if (clock_.advance(time_ns)) [[unlikely]]
      step_clock();
  }
  void tell_origin() noexcept;
  void pass_time() noexcept;
  [[nodiscard]] std::uint64_t expected_ns() const noexcept;
  [[nodiscard]] std::uint64_t number_of(const Frame& frame) const noexcept;
  void say(const std::string& what) const;
  void deliver_released() noexcept;
  void step_clock() noexcept;
  void housekeep(std::uint64_t now_ns, const Publish& publish);
  void look_for_source_drops() noexcept;
  void stay_away() noexcept;
  void come_back() noexcept;
  void take_over() noexcept;
  void gather_counters() noexcept;
  [[nodiscard]] bool all_closed() const noexcept;

  Source& source_;
  const CaptureOptions options_;
  const std::atomic<bool>& stop_;
  const std::uint32_t observers_;
  std::vector<PacketOutput> outputs_; ///< to each of them
  PacketClock clock_;
  FragmentCache fragments_;
  HeldFrames held_;
  std::array<Frame, frame_batch> frames_{};
  std::array<std::uint8_t, frame_batch> places_{};      ///< of those that stay: where they were in the batch
  std::optional<SeenFrames> seen_;                      ///< where frames are looked at for being there twice
  FrameDissector dissector_;                            ///< with the frame at hand
  std::array<std::uint64_t, outcome_count> outcomes_{}; ///< how often each
  std::array<std::uint64_t, CaptureCounter::count> counters_{};
  DutyCycle duty_;
  std::uint64_t passed_before_ = 0;  ///< packets of a predecessor that are accounted for
  std::uint64_t skipped_before_ = 0; ///< of them those of a link type that is not known
  std::uint64_t lost_before_ = 0;    ///< packets that the kernel lost for it
  std::uint64_t given_ = 0;          ///< frames that the source gave; those that it skipped are its own to count
  std::uint64_t given_before_batch_ = 0;
  std::uint64_t latest_ns_ = 0;      ///< live: the packet clock's time of the latest frame
  std::uint64_t latest_came_ns_ = 0; ///< CLOCK_MONOTONIC then
  std::uint64_t next_housekeeping_ns_ = 0;
  std::uint64_t source_dropped_ = 0; ///< that the observers have been told of
  std::uint64_t watched_to_ns_ = 0;  ///< what came up to then has been read
  std::uint64_t looked_ns_;          ///< the wall clock when it was last asked for
  bool away_ = false;                ///< the interface is
  std::uint64_t away_since_ns_ = 0;  ///< CLOCK_MONOTONIC, as far as link_away_ns has it
};

} // namespace orbweaver
