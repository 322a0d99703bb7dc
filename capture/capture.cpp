// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/capture.hpp"

#include "capture/dissect/plain_packet.hpp"
#include "capture/last_frames.hpp"
#include "common/clock.hpp"
#include "common/stream/ring/wait.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>
#include <utility>

namespace orbweaver {
namespace {

/// The kernel tells of a carrier that is lost once a second at most (net/core/link_watch.c), and until it does, packets
/// are seen leaving that go nowhere.
constexpr std::uint64_t carrier_notice_ns = 1'200'000'000;

/// The coarsest that live packets are stamped with.
constexpr std::uint64_t stamp_resolution_ns = 1000;

} // namespace

Capture::Capture(Source& source, std::vector<RecordWriter> writers, const CaptureOptions& options,
                 const std::atomic<bool>& stop)
    : source_(source), options_(options), stop_(stop), observers_(static_cast<std::uint32_t>(writers.size())),
      clock_(options.clock_tolerance_s), fragments_(options.fragments, options.seed),
      dissector_(options.needs, options.tunnels), looked_ns_(realtime_ns()) {
  outputs_.reserve(writers.size());
  for (auto& writer : writers)
    outputs_.emplace_back(std::move(writer), !source.live(), stop);
  std::iota(places_.begin(), places_.end(), std::uint8_t{0});
  if (options.deduplicate_ns != 0)
    seen_.emplace(options.deduplicate_ns, options.seed);
  if (!options.counters_before.empty())
    take_over();
}

/// Goes on with what a predecessor counted. It may have died before it said so of its last packets: those that the
/// observers got are counted, others were not seen, as those that came until now.
void Capture::take_over() noexcept {
  namespace C = CaptureCounter;
  const auto before = [&](std::size_t place) { return options_.counters_before[place]; };
  for (const auto place : {C::octets_read, C::filtered, C::duplicates, C::decapsulated, C::left_encapsulated,
                           C::link_losses, C::link_away_ns, C::unwatched_ns, C::fragments, C::icmp_errors,
                           C::above_wire_length, C::bad_tcp_header, C::bad_udp_length, C::wrong_times, C::clock_sets})
    counters_[place] = before(place);
  skipped_before_ = before(C::unknown_link);
  lost_before_ = before(C::dropped_source);
  for (const auto& [outcome, place] :
       {std::pair{Outcome::non_ip, C::non_ip}, std::pair{Outcome::short_link, C::short_link_header},
        std::pair{Outcome::short_ip, C::short_ip_header},
        std::pair{Outcome::short_transport, C::short_transport_header},
        std::pair{Outcome::bad_ip_header, C::bad_ip_header}, std::pair{Outcome::bad_ip_length, C::bad_ip_length}}) {
    outcomes_[static_cast<std::size_t>(outcome)] = before(place);
    passed_before_ += before(place);
  }
  passed_before_ += counters_[C::filtered] + counters_[C::duplicates];
  for (const auto& output : outputs_)
    passed_before_ += output.delivered() + output.dropped();
  clock_.begin_at(before(C::clock_second), options_.clock_offset_before_ns);
  watched_to_ns_ = options_.watched_before_ns;
  const std::uint64_t now_ns = std::max(realtime_ns(), watched_to_ns_);
  counters_[C::unwatched_ns] += now_ns - watched_to_ns_;
  for (auto& output : outputs_)
    output.note_lost(0, watched_to_ns_, now_ns);
}

CaptureResult Capture::run(const Publish& publish) {
  CaptureResult result = read_all(publish);
  settle_doubts_at_end();
  fragments_.flush();
  deliver_released();
  look_for_source_drops();
  for (auto& output : outputs_)
    output.publish();
  result = finish(std::move(result));
  gather_counters();
  publish(counters_, monotonic_ns());
  return result;
}

CaptureResult Capture::read_all(const Publish& publish) {
  for (;;) {
    if (stop_.load(std::memory_order_relaxed)) {
      const std::string removed = source_.removed();
      return {removed.empty() ? EndCause::interrupted : EndCause::failed, removed};
    }
    const std::uint64_t passed = passed_before_ + given_ - counters_[CaptureCounter::filtered];
    if (passed >= options_.count)
      return {EndCause::complete, {}};
    const std::size_t wanted = std::min<std::uint64_t>(frames_.size(), options_.count - passed);
    const Source::Result read = source_.read(std::span(frames_).first(wanted));
    if (away_ && (read.status == Source::Status::frames || read.status == Source::Status::idle))
      come_back();
    switch (read.status) {
    case Source::Status::frames:
      // What was lost before these came is told before them. For those from before the last look that has been done.
      if (source_.live() && frames_[read.count - 1].time_ns + stamp_resolution_ns >= looked_ns_)
        look_for_source_drops();
      watched_to_ns_ = frames_[read.count - 1].time_ns;
      handle_batch(read.count);
      if (source_.live() && held_.empty()) {
        latest_ns_ = watched_to_ns_ + clock_.offset_ns();
        latest_came_ns_ = monotonic_ns();
      }
      break;
    case Source::Status::idle:
      watched_to_ns_ = realtime_ns();
      if (source_.live())
        pass_time();
      break;
    case Source::Status::away:
      stay_away();
      break;
    case Source::Status::end:
      return {EndCause::complete, {}};
    case Source::Status::failed:
      return {EndCause::failed, source_.error()};
    }
    // A file's packets come fast enough to fill a batch of the ring; others must not wait for one.
    if (source_.live() || read.status != Source::Status::frames)
      for (auto& output : outputs_)
        output.publish();
    const std::uint64_t now_ns = monotonic_ns();
    duty_.look(now_ns);
    if (now_ns >= next_housekeeping_ns_) [[unlikely]]
      housekeep(now_ns, publish);
    if (all_closed()) [[unlikely]]
      return {EndCause::failed, {}};
  }
}

CaptureResult Capture::finish(CaptureResult result) {
  for (auto& output : outputs_) {
    if (source_.live()) // what it watched goes on
      output.note_lost(0, watched_to_ns_, std::numeric_limits<std::uint64_t>::max());
    if (!output.finish(result.cause) && result.error.empty() && result.cause != EndCause::interrupted)
      result = {EndCause::failed, output.failure()};
  }
  return result;
}

/// First what is read, then what has an effect: of a frame whose octets turn out to be lost, nothing is delivered.
template <std::uint8_t version>
Capture::Handled Capture::handle_plain(const Frame& frame) noexcept {
  PlainPacket<version> packet;
  if (!packet.read(frame, options_.needs)) [[unlikely]]
    return Handled::not_plain;
  if (source_.lost()) [[unlikely]]
    return Handled::lost;
  if (const Handled handled = keep_time(frame); handled != Handled::done) [[unlikely]]
    return handled;
  const std::uint64_t hash = packet.hash(options_.seed);
  PacketOutput& output = output_for(hash);
  if (std::byte* const place = output.claim(packet.record_bytes, frame.time_ns)) [[likely]] {
    packet.write(hash, place);
    output.commit(place, packet.record_bytes);
  }
  return Handled::done;
}

void Capture::handle_batch(std::size_t count) noexcept {
  frames_at_work(std::span(frames_).first(count));
  given_before_batch_ = given_;
  if (options_.filter || seen_)
    std::iota(places_.begin(), places_.end(), std::uint8_t{0});
  if (options_.filter) {
    count = keep(count, CaptureCounter::filtered, [&](const Frame& frame) { return options_.filter->matches(frame); });
    frames_at_work(std::span(frames_).first(count));
  }
  if (seen_) {
    count = keep(count, CaptureCounter::duplicates, [&](const Frame& frame) { return !seen_->has(frame); });
    frames_at_work(std::span(frames_).first(count));
  }
  std::size_t handled_frames = 0, plain = 0;
  std::uint64_t octets = 0;
  const bool any_may_be_plain = options_.tunnels.empty();
  for (const Frame& frame : std::span(frames_).first(count)) {
    Handled handled = Handled::not_plain;
    if (PlainPacket<4>::fits(frame) && (any_may_be_plain || PlainPacket<4>::is_tcp(frame))) [[likely]]
      handled = handle_plain<4>(frame);
    else if (PlainPacket<6>::fits(frame) && (any_may_be_plain || PlainPacket<6>::is_tcp(frame)))
      handled = handle_plain<6>(frame);
    plain += handled == Handled::done;
    if (handled == Handled::not_plain) [[unlikely]]
      handled = handle_any(frame);
    if (handled == Handled::lost) [[unlikely]]
      break;
    ++handled_frames;
    octets += frame.wire_length;
  }
  frames_at_work({});
  given_ += handled_frames;
  outcomes_[static_cast<std::size_t>(Outcome::packet)] += plain;
  counters_[CaptureCounter::octets_read] += octets;
}

Capture::Handled Capture::handle_any(const Frame& frame) noexcept {
  const Outcome outcome = dissector_.dissect(frame);
  if (source_.lost()) [[unlikely]]
    return Handled::lost;
  if (const Handled handled = keep_time(frame); handled != Handled::done) [[unlikely]]
    return handled;
  handle_dissected(outcome, dissector_);
  return Handled::done;
}

void Capture::handle_dissected(Outcome outcome, FrameDissector& dissected) noexcept {
  ++outcomes_[static_cast<std::size_t>(outcome)];
  if (outcome != Outcome::packet)
    return;
  if (!options_.tunnels.empty()) [[unlikely]]
    handle_tunnels(dissected);
  PacketDraft& draft = dissected.packet();
  if (draft.faults != 0) [[unlikely]]
    count_faults(draft.faults);
  if (draft.record.bits & (PacketBits::fragment | PacketBits::icmp_error))
    handle_marked(draft);
  else
    deliver(draft);
}

/// What a packet was taken out of: a first fragment among that has the ports of later ones, which stay what they are.
void Capture::handle_tunnels(FrameDissector& dissected) noexcept {
  counters_[CaptureCounter::decapsulated] += !dissected.tunnels().empty();
  counters_[CaptureCounter::left_encapsulated] += dissected.left_on();
  for (PacketDraft& outer : dissected.tunnels()) {
    if (outer.fragment_part != FragmentPart::first)
      continue;
    static_cast<void>(fragments_.take(outer, clock_.second()));
    deliver_released();
  }
}

void Capture::count_faults(std::uint8_t faults) noexcept {
  counters_[CaptureCounter::above_wire_length] += (faults & Fault::ip_length) != 0;
  counters_[CaptureCounter::bad_tcp_header] += (faults & Fault::tcp_header) != 0;
  counters_[CaptureCounter::bad_udp_length] += (faults & Fault::udp_length) != 0;
}

/// Keeps the frames of the batch that stay in it and counts the others; returns how many stay.
template <typename Stays>
std::size_t Capture::keep(std::size_t count, std::size_t counter_of_others, const Stays& stays) noexcept {
  std::uint64_t octets = 0;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < count; ++at) {
    if (!stays(frames_[at])) {
      octets += frames_[at].wire_length;
      continue;
    }
    places_[kept] = places_[at];
    frames_[kept++] = frames_[at];
  }
  if (source_.lost()) [[unlikely]]
    return 0;
  counters_[CaptureCounter::octets_read] += octets;
  counters_[counter_of_others] += count - kept;
  given_ += count - kept;
  return kept;
}

/// A fragment, or an ICMP error, which may quote one.
void Capture::handle_marked(PacketDraft& draft) noexcept {
  counters_[CaptureCounter::fragments] += (draft.record.bits & PacketBits::fragment) != 0;
  counters_[CaptureCounter::icmp_errors] += (draft.record.bits & PacketBits::icmp_error) != 0;
  if (draft.fragment_part == FragmentPart::none || fragments_.take(draft, clock_.second()))
    deliver(draft);
  deliver_released();
}

void Capture::deliver(PacketDraft& draft) noexcept {
  const std::uint64_t hash = flow_hash(draft, options_.seed);
  draft.record.flow_hash = static_cast<std::uint32_t>(hash);
  output_for(hash).deliver(draft);
}

void Capture::deliver_released() noexcept {
  for (PacketDraft draft; fragments_.next_released(draft);)
    deliver(draft);
}

/// What waited too long goes out before the tick, since it belongs to the time before it.
void Capture::step_clock() noexcept {
  fragments_.expire(clock_.second());
  deliver_released();
  for (auto& output : outputs_)
    output.tick(clock_.second());
}

void Capture::housekeep(std::uint64_t now_ns, const Publish& publish) {
  next_housekeeping_ns_ = now_ns + housekeeping_ns;
  look_for_source_drops();
  for (auto& output : outputs_)
    output.housekeep(now_ns);
  gather_counters();
  publish(counters_, now_ns);
}

/// Looks whether the kernel or the card lost packets since the last look. They were for one of the observers, nobody
/// knows which: each is told.
void Capture::look_for_source_drops() noexcept {
  const std::uint64_t since_ns = std::exchange(looked_ns_, realtime_ns());
  const std::uint64_t dropped = source_.dropped();
  if (dropped <= source_dropped_)
    return;
  const std::uint64_t lost = dropped - std::exchange(source_dropped_, dropped);
  const std::uint64_t now_ns = std::max(since_ns, realtime_ns());
  for (auto& output : outputs_)
    output.note_lost(lost, since_ns, now_ns);
}

/// While the interface is away the clock goes on, and the observers are told each second that nobody watches.
void Capture::stay_away() noexcept {
  if (!std::exchange(away_, true)) {
    ++counters_[CaptureCounter::link_losses];
    away_since_ns_ = monotonic_ns();
    watched_to_ns_ -= std::min(watched_to_ns_, carrier_notice_ns);
    next_housekeeping_ns_ = 0; // a spider that sends packets there has to know at once
  }
  const std::uint64_t second = clock_.second();
  pass_time();
  if (clock_.second() == second)
    return;
  const std::uint64_t now_ns = realtime_ns();
  for (auto& output : outputs_)
    output.note_lost(0, watched_to_ns_, now_ns);
}

void Capture::come_back() noexcept {
  gather_counters();
  away_ = false;
  next_housekeeping_ns_ = 0;
  const std::uint64_t now_ns = realtime_ns();
  for (auto& output : outputs_)
    output.note_lost(0, watched_to_ns_, now_ns);
  watched_to_ns_ = now_ns;
}

void Capture::gather_counters() noexcept {
  namespace C = CaptureCounter;
  const auto outcomes = [&](Outcome outcome) { return outcomes_[static_cast<std::size_t>(outcome)]; };
  const std::uint64_t skipped = source_.skipped();
  counters_[C::packets_read] = passed_before_ + given_ + skipped;
  counters_[C::non_ip] = outcomes(Outcome::non_ip) + skipped;
  counters_[C::unknown_link] = skipped_before_ + skipped;
  counters_[C::short_link_header] = outcomes(Outcome::short_link);
  counters_[C::short_ip_header] = outcomes(Outcome::short_ip);
  counters_[C::short_transport_header] = outcomes(Outcome::short_transport);
  counters_[C::bad_ip_header] = outcomes(Outcome::bad_ip_header);
  counters_[C::bad_ip_length] = outcomes(Outcome::bad_ip_length);
  counters_[C::short_packets] = outcomes(Outcome::short_link) + outcomes(Outcome::short_ip) +
                                outcomes(Outcome::short_transport) + outcomes(Outcome::bad_ip_header) +
                                outcomes(Outcome::bad_ip_length);
  counters_[C::delivered] = counters_[C::dropped_ring] = 0;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    counters_[C::delivered_to + i] = outputs_[i].delivered();
    counters_[C::dropped_on + i] = outputs_[i].dropped();
    counters_[C::delivered] += outputs_[i].delivered();
    counters_[C::dropped_ring] += outputs_[i].dropped();
  }
  counters_[C::dropped_source] = lost_before_ + source_dropped_;
  counters_[C::link_away] = away_;
  if (away_) {
    const std::uint64_t now_ns = monotonic_ns();
    counters_[C::link_away_ns] += now_ns - std::exchange(away_since_ns_, now_ns);
  }
  counters_[C::fragments_held] = fragments_.waiting();
  counters_[C::fragments_unmatched] = fragments_.unmatched();
  counters_[C::fragments_displaced] = fragments_.displaced();
  if (!options_.counters_before.empty())
    for (const auto place : {C::fragments_unmatched, C::fragments_displaced})
      counters_[place] += options_.counters_before[place];
  counters_[C::clock_second] = clock_.second();
  counters_[C::position_octets] = source_.position_octets();
  counters_[C::size_octets] = source_.size_octets();
  counters_[C::stall_max_ns] = duty_.stall_max_ns();
  counters_[C::stall_max_second] = duty_.stall_max_second();
}

bool Capture::all_closed() const noexcept {
  return std::all_of(outputs_.begin(), outputs_.end(), [](const PacketOutput& output) { return output.closed(); });
}

} // namespace orbweaver
