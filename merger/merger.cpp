// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "common/error.hpp"
#include "common/stream/poison.hpp"
#include "merger/rows/flow_stream.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

namespace orbweaver {

Merger::Merger(std::vector<RecordReader> streams, Sink& sink, bool digest, PublishCounters publish, Rotation* rotation,
               Checkpoints* checkpoints, int poison_fd)
    : loop_(std::move(streams)), sink_(sink), rotation_(rotation), wants_digest_(digest), checkpoints_(checkpoints),
      poison_fd_(poison_fd), publish_(std::move(publish)) {
  for (std::size_t stream = 0; stream < loop_.size(); ++stream) {
    const auto& reader = loop_.reader(stream);
    auto& input = inputs_.emplace_back(Input{StreamRows(reader.stream()), {}});
    for (std::size_t direction = 0; const auto* name : {"pkt_fwd", "pkt_rev"}) {
      const auto* const field = reader.stream().tables.front().find(name);
      if (field && field->type == field_type_of<std::uint64_t>())
        input.packets[direction++] = field->offset;
    }
    for (std::size_t place = 0; const auto& table : reader.stream().tables)
      input.tables.push_back({sink.add_table(table, place++, reader.name()), RowDigest(table)});
  }
  if (!checkpoints_ || !sink_.can_resume())
    checkpoints_ = nullptr;
  else if (sink_.marks(marks_); loop_.size() > Checkpoint::max_streams || marks_.size() > Checkpoint::max_files)
    checkpoints_ = nullptr;
  if (!checkpoints_)
    return;
  if (const auto* const left = checkpoints_->left()) {
    for (std::size_t stream = 0; stream < loop_.size(); ++stream) {
      loop_.resume(stream, left->streams[stream]);
      inputs_[stream].taken = left->taken[stream];
    }
    counters_[MergerCounter::flows_received] = left->rows[0];
    counters_[MergerCounter::events_received] = left->rows[1];
    digest_ = left->digest;
    if (rotation_)
      rotation_->resume(left->rotation, std::span(left->rotated).first(loop_.size()));
    octets_before_ = left->octets_before;
    completion_ = left->completion;
  } else {
    secure(); // what is written from now on is more than this
  }
}

/// What was read so far is written, and bound to what was read.
void Merger::secure() {
  if (checkpoints_)
    hand_on();
}

void Merger::hand_on() {
  if (!sink_.flush())
    return;
  note();
  sink_.deliver();
}

void Merger::note() {
  if (!checkpoints_)
    return;
  sink_.marks(marks_);
  auto& next = checkpoints_->next();
  for (std::size_t stream = 0; stream < loop_.size(); ++stream) {
    next.streams[stream] = loop_.place(stream);
    next.taken[stream] = inputs_[stream].taken;
  }
  next.file_count = marks_.size();
  std::ranges::copy(marks_, next.files.begin());
  next.rows = {counters_[MergerCounter::flows_received], counters_[MergerCounter::events_received]};
  next.digest = digest_;
  if (rotation_) {
    next.rotation = rotation_->mark();
    std::ranges::copy(rotation_->streams(), next.rotated.begin());
    next.series = rotation_->series().mark();
  }
  next.octets_before = octets_before_;
  next.completion = completion_;
  checkpoints_->store();
  wants_secured_ = false;
}

bool Merger::run(const std::atomic<bool>& stop) {
  // What who died was at:
  if (completion_.under_way)
    do_completion();
  sink_.deliver();
  loop_.hold_at(rotation_ ? rotation_->boundary_s() : Rotation::never);
  loop_.run(*this, stop);
  problems_ = loop_.problems();
  if (rotation_ && !sink_.failed())
    if (const auto span =
            rotation_->last(counters_[MergerCounter::flows_received] + counters_[MergerCounter::events_received] > 0))
      complete(*span, false);
  if (!sink_.finish())
    problems_.push_back(sink_.failure());
  if (rotation_ && !rotation_->failure().empty())
    problems_.push_back(rotation_->failure());
  const auto written = sink_.written();
  counters_[MergerCounter::flows_dropped] = counters_[MergerCounter::flows_received] - written.flows;
  counters_[MergerCounter::events_dropped] = counters_[MergerCounter::events_received] - written.events;
  housekeep(monotonic_ns());
  loop_.close();
  return problems_.empty();
}

std::size_t Merger::take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) {
  auto& input = inputs_[stream];
  std::uint64_t rows[2]{}; // flows, events
  std::uint64_t packets = 0;
  std::size_t count = 0;
  for (; count < records.size(); ++count) {
    const RecordHeader& header = *records[count];
    if (checkpoints_ && steps_over(stream, header, input.taken + count)) [[unlikely]] {
      ++rows[header.table != 0];
      continue;
    }
    if (header.kind == RecordKind::row) [[likely]] {
      RowView row;
      if (!input.rows.take(header, row)) {
        why = input.rows.damage();
        break;
      }
      auto& table = input.tables[header.table];
      sink_.put(table.in_sink, row);
      if (wants_digest_)
        table.digest.add(row, digest_);
      ++table.rows;
      ++rows[header.table != 0];
      if (rotation_ && header.table == 0)
        for (const auto offset : input.packets)
          packets += offset == 0 ? 0 : load_field<std::uint64_t>(row.record + offset);
    } else if (header.kind != RecordKind::tick && header.kind != RecordKind::loss &&
               header.kind != RecordKind::origin) {
      why = what_is_odd(header);
      break;
    } else if (rotation_) {
      take_for_ledger(stream, header);
    }
  }
  if (checkpoints_) {
    checkpoints_->notes().at_rest();
    input.taken += count;
  }
  counters_[MergerCounter::flows_received] += rows[0];
  counters_[MergerCounter::events_received] += rows[1];
  if (rotation_) {
    rotation_->share(stream).flows += rows[0];
    rotation_->share(stream).events += rows[1];
    rotation_->packets(packets);
    look_for_boundary();
  }
  return count;
}

void Merger::take_for_ledger(std::size_t stream, const RecordHeader& header) {
  if (header.kind == RecordKind::tick && header.length == sizeof(TickRecord))
    rotation_->at(stream, reinterpret_cast<const TickRecord&>(header).second);
  else if (header.kind == RecordKind::loss && header.length == sizeof(LossRecord))
    rotation_->share(stream).lost(reinterpret_cast<const LossRecord&>(header).packets);
}

void Merger::look_for_boundary() {
  if (!rotation_->wants_next(sink_.written().octets - octets_before_))
    return;
  loop_.hold_at(rotation_->boundary_s());
  wants_secured_ = true; // nobody asks twice
}

std::uint64_t Merger::all_held(std::uint64_t second) {
  if (!rotation_)
    return Rotation::never;
  if (const auto span = rotation_->advance(second))
    complete(*span, true);
  else
    sink_.begins_at(rotation_->state().begin_s);
  return rotation_->boundary_s();
}

/// Completes the files at work, and begins the next ones where there are any.
bool Merger::complete(const FileSpan& span, bool has_next) {
  if (!sink_.write_rest())
    return false;
  if (!has_next)
    rotation_->end();
  completion_ = {true, span, has_next};
  note();
  return do_completion();
}

/// Whoever dies at it is followed by somebody who begins here again.
bool Merger::do_completion() {
  const auto& [under_way, span, has_next] = completion_;
  std::vector<CompleteFile> files;
  if (!sink_.complete(span.begin_s, files))
    return false;
  bool has_packets = true;
  for (const auto& input : inputs_)
    has_packets = has_packets && input.packets.back() != 0;
  if (!rotation_->list(span, files, {std::nullopt, wants_digest_ ? std::optional(digest_) : std::nullopt, has_packets}))
    return false;
  if (has_next && !sink_.begin_next(span.end_s))
    return false;
  octets_before_ = sink_.written().octets;
  completion_ = {};
  note();
  return true;
}

bool Merger::steps_over(std::size_t stream, const RecordHeader& header, std::uint64_t number) {
  auto& notes = checkpoints_->notes();
  if (!notes.is_poison(stream, number)) [[likely]] {
    notes.at_work(stream, number);
    return false;
  }
  if (notes.is_new_poison()) {
    spdlog::error("a row that a merger died of twice is stepped over");
    if (poison_fd_ >= 0 && !write_poison(poison_fd_, loop_.reader(stream).stream(), header))
      spdlog::warn("it cannot be given out: {}", errno_text());
  }
  return true;
}

std::string Merger::taken(std::size_t stream) const {
  std::uint64_t flows = 0, events = 0;
  for (const auto& table : inputs_[stream].tables)
    (&table == inputs_[stream].tables.data() ? flows : events) += table.rows;
  return std::to_string(flows) + " flows" + (events > 0 ? ", " + std::to_string(events) + " events" : "");
}

void Merger::quiet() {
  if (sink_.is_read_live() && sink_.is_due())
    hand_on();
}

void Merger::housekeep(std::uint64_t now_ns) {
  quiet();
  if (rotation_)
    look_for_boundary();
  if (wants_secured_)
    secure();
  tell(now_ns);
}

void Merger::tell(std::uint64_t now_ns) {
  loop_.beat(now_ns);
  const auto written = sink_.written();
  counters_[MergerCounter::flows_written] = written.flows;
  counters_[MergerCounter::events_written] = written.events;
  counters_[MergerCounter::octets_written] = written.octets;
  counters_[MergerCounter::disk_full_ns] = written.full_ns;
  if (rotation_) {
    counters_[MergerCounter::files_complete] = rotation_->files_complete();
    counters_[MergerCounter::files_removed] = rotation_->files_removed();
  }
  counters_[MergerCounter::digest_low] = digest_.low;
  counters_[MergerCounter::digest_high] = digest_.high;
  counters_[MergerCounter::stall_max_ns] = loop_.duty().stall_max_ns();
  counters_[MergerCounter::stall_max_second] = loop_.duty().stall_max_second();
  publish_(counters_, now_ns);
}

} // namespace orbweaver
