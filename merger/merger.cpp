// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "merger/flow_stream.hpp"

#include <utility>

namespace orbweaver {

Merger::Merger(std::vector<RecordReader> streams, Sink& sink, bool digest, PublishCounters publish)
    : loop_(std::move(streams)), sink_(sink), wants_digest_(digest), publish_(std::move(publish)) {
  for (std::size_t stream = 0; stream < loop_.size(); ++stream) {
    const auto& reader = loop_.reader(stream);
    auto& input = inputs_.emplace_back(Input{StreamRows(reader.stream()), {}});
    for (std::size_t place = 0; const auto& table : reader.stream().tables)
      input.tables.push_back({sink.add_table(table, place++, reader.name()), RowDigest(table)});
  }
}

bool Merger::run(const std::atomic<bool>& stop) {
  loop_.run(*this, stop);
  problems_ = loop_.problems();
  if (!sink_.finish())
    problems_.push_back(sink_.failure());
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
  std::size_t count = 0;
  for (; count < records.size(); ++count) {
    const RecordHeader& header = *records[count];
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
    } else if (header.kind != RecordKind::tick && header.kind != RecordKind::loss) {
      why = what_is_odd(header);
      break;
    }
  }
  counters_[MergerCounter::flows_received] += rows[0];
  counters_[MergerCounter::events_received] += rows[1];
  return count;
}

std::string Merger::taken(std::size_t stream) const {
  std::uint64_t flows = 0, events = 0;
  for (const auto& table : inputs_[stream].tables)
    (&table == inputs_[stream].tables.data() ? flows : events) += table.rows;
  return std::to_string(flows) + " flows" + (events > 0 ? ", " + std::to_string(events) + " events" : "");
}

void Merger::quiet() {
  if (sink_.is_read_live())
    sink_.flush();
}

void Merger::housekeep(std::uint64_t now_ns) {
  quiet();
  tell(now_ns);
}

void Merger::tell(std::uint64_t now_ns) {
  loop_.beat(now_ns);
  const auto written = sink_.written();
  counters_[MergerCounter::flows_written] = written.flows;
  counters_[MergerCounter::events_written] = written.events;
  counters_[MergerCounter::octets_written] = written.octets;
  counters_[MergerCounter::disk_full_ns] = written.full_ns;
  counters_[MergerCounter::digest_low] = digest_.low;
  counters_[MergerCounter::digest_high] = digest_.high;
  counters_[MergerCounter::stall_max_ns] = loop_.duty().stall_max_ns();
  counters_[MergerCounter::stall_max_second] = loop_.duty().stall_max_second();
  publish_(counters_, now_ns);
}

} // namespace orbweaver
