// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/capture.hpp"

#include "capture/flow_hash.hpp"
#include "common/wait.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace orbweaver {
namespace {

std::uint64_t wall_clock_ns() noexcept {
  return static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

} // namespace

Capture::Capture(Source& source, std::vector<RecordWriter> writers, const CaptureOptions& options,
                 const std::atomic<bool>& stop)
    : source_(source), options_(options), stop_(stop), fragments_(options.fragments, options.seed) {
  outputs_.reserve(writers.size());
  for (auto& writer : writers)
    outputs_.emplace_back(std::move(writer), !source.live(), stop);
}

CaptureResult Capture::run(const Publish& publish) {
  CaptureResult result = read_all(publish);
  fragments_.flush();
  deliver_released();
  for (auto& output : outputs_)
    output.publish();
  result = finish(std::move(result));
  gather_counters();
  publish(counters_, monotonic_ns());
  return result;
}

CaptureResult Capture::read_all(const Publish& publish) {
  for (;;) {
    if (stop_.load(std::memory_order_relaxed))
      return {EndCause::interrupted, {}};
    const std::uint64_t passed = given_ - counters_[CaptureCounter::filtered];
    if (passed >= options_.count)
      return {EndCause::complete, {}};
    const std::size_t wanted = std::min<std::uint64_t>(frames_.size(), options_.count - passed);
    const Source::Result read = source_.read(std::span(frames_).first(wanted));
    switch (read.status) {
    case Source::Status::frames:
      handle_batch(read.count);
      break;
    case Source::Status::idle:
      if (source_.live() && clock_.advance(wall_clock_ns()))
        step_clock();
      break;
    case Source::Status::end:
      return {EndCause::complete, {}};
    case Source::Status::failed:
      return {EndCause::failed, source_.error()};
    }
    // A file's packets come fast enough to fill a batch of the ring; others must not wait for one.
    if (source_.live() || read.status == Source::Status::idle)
      for (auto& output : outputs_)
        output.publish();
    if (const std::uint64_t now_ns = monotonic_ns(); now_ns >= next_housekeeping_ns_) [[unlikely]]
      housekeep(now_ns, publish);
    if (all_closed()) [[unlikely]]
      return {EndCause::failed, {}};
  }
}

CaptureResult Capture::finish(CaptureResult result) {
  for (auto& output : outputs_)
    if (!output.finish(result.cause) && result.error.empty() && result.cause != EndCause::interrupted)
      result = {EndCause::failed, output.failure()};
  return result;
}

/// In two passes: dissection, which is pure, and then what has an effect, packet by packet in their order.
void Capture::handle_batch(std::size_t count) noexcept {
  std::uint64_t octets = 0;
  for (std::size_t i = 0; i < count; ++i)
    octets += frames_[i].wire_length;
  const std::size_t given = count;
  if (options_.filter)
    count = leave_out_filtered(count);
  for (std::size_t i = 0; i < count; ++i)
    results_[i] = dissect(frames_[i], options_.raw_bytes, drafts_[i]);
  if (source_.lost()) [[unlikely]]
    return;
  given_ += given;
  counters_[CaptureCounter::octets_read] += octets;
  counters_[CaptureCounter::filtered] += given - count;
  for (std::size_t i = 0; i < count; ++i) {
    if (clock_.advance(frames_[i].time_ns)) [[unlikely]]
      step_clock();
    ++outcomes_[static_cast<std::size_t>(results_[i])];
    if (results_[i] != Outcome::packet) [[unlikely]]
      continue;
    if (drafts_[i].record.bits & (PacketBits::fragment | PacketBits::icmp_error)) [[unlikely]]
      handle_marked(drafts_[i]);
    else
      deliver(drafts_[i]);
  }
}

/// Keeps the frames of the batch that pass the filter; returns how many.
std::size_t Capture::leave_out_filtered(std::size_t count) noexcept {
  const auto end = std::remove_if(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(count),
                                  [&](const Frame& frame) { return !options_.filter->matches(frame); });
  return static_cast<std::size_t>(end - frames_.begin());
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
  PacketRecord& record = draft.record;
  record.flow_hash = flow_hash(record.key, draft.addresses, options_.seed);
  outputs_[shard_of(record.flow_hash, static_cast<std::uint32_t>(outputs_.size()))].deliver(draft);
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
  for (auto& output : outputs_)
    output.housekeep(now_ns);
  gather_counters();
  publish(counters_, now_ns);
}

void Capture::gather_counters() noexcept {
  namespace C = CaptureCounter;
  const auto outcomes = [&](Outcome outcome) { return outcomes_[static_cast<std::size_t>(outcome)]; };
  const std::uint64_t skipped = source_.skipped();
  counters_[C::packets_read] = given_ + skipped;
  counters_[C::non_ip] = outcomes(Outcome::non_ip) + skipped;
  counters_[C::unknown_link] = skipped;
  counters_[C::short_link_header] = outcomes(Outcome::short_link);
  counters_[C::short_ip_header] = outcomes(Outcome::short_ip);
  counters_[C::short_transport_header] = outcomes(Outcome::short_transport);
  counters_[C::bad_ip_header] = outcomes(Outcome::bad_ip_header);
  counters_[C::short_packets] = outcomes(Outcome::short_link) + outcomes(Outcome::short_ip) +
                                outcomes(Outcome::short_transport) + outcomes(Outcome::bad_ip_header);
  counters_[C::delivered] = counters_[C::dropped_ring] = 0;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    counters_[C::delivered_to + i] = outputs_[i].delivered();
    counters_[C::dropped_on + i] = outputs_[i].dropped();
    counters_[C::delivered] += outputs_[i].delivered();
    counters_[C::dropped_ring] += outputs_[i].dropped();
  }
  counters_[C::dropped_source] = source_.dropped();
  counters_[C::fragments_held] = fragments_.waiting();
  counters_[C::fragments_unmatched] = fragments_.unmatched();
  counters_[C::fragments_displaced] = fragments_.displaced();
  counters_[C::clock_second] = clock_.second();
  counters_[C::position_octets] = source_.position_octets();
  counters_[C::size_octets] = source_.size_octets();
}

bool Capture::all_closed() const noexcept {
  return std::all_of(outputs_.begin(), outputs_.end(), [](const PacketOutput& output) { return output.closed(); });
}

} // namespace orbweaver
