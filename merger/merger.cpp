// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/merger.hpp"

#include "common/error.hpp"
#include "merger/flow_stream.hpp"

#include <utility>

namespace orbweaver {

Merger::Merger(std::vector<RecordReader> streams, Output& output, bool digest, PublishCounters publish)
    : loop_(std::move(streams)), output_(output), wants_digest_(digest), publish_(std::move(publish)) {
  for (std::size_t stream = 0; stream < loop_.size(); ++stream) {
    const auto& reader = loop_.reader(stream);
    const auto& input = inputs_.emplace_back(reader.stream());
    if (input.writer.max_line_bytes() > Output::buffer_bytes)
      throw Error(reader.name() + ": its field table gives lines of up to " +
                  std::to_string(input.writer.max_line_bytes()) + " octets, too long to print");
  }
}

bool Merger::run(const std::atomic<bool>& stop) {
  loop_.run(*this, stop);
  problems_ = loop_.problems();
  if (!output_.finish())
    problems_.push_back(output_.failure());
  counters_[MergerCounter::flows_dropped] = counters_[MergerCounter::flows_received] - output_.lines_written();
  housekeep(monotonic_ns());
  loop_.close();
  return problems_.empty();
}

std::size_t Merger::take(std::size_t stream, std::span<const RecordHeader* const> records, std::string& why) {
  auto& input = inputs_[stream];
  const auto record_bytes = input.writer.record_bytes();
  std::uint64_t flows = 0;
  std::size_t count = 0;
  for (; count < records.size(); ++count) {
    const auto* const record = records[count];
    if (record->kind == RecordKind::flow && record->length == record_bytes) [[likely]] {
      char* line = output_.claim(input.writer.max_line_bytes());
      const char* end = input.writer.print(reinterpret_cast<const std::byte*>(record), line);
      if (wants_digest_)
        digest_.add({line, static_cast<std::size_t>(end - line - 1)});
      output_.commit(end);
      ++flows;
    } else if (record->kind != RecordKind::tick && record->kind != RecordKind::loss) {
      why = what_is_odd(*record, record_bytes);
      break;
    }
  }
  input.flows += flows;
  counters_[MergerCounter::flows_received] += flows;
  return count;
}

std::string Merger::taken(std::size_t stream) const {
  return std::to_string(inputs_[stream].flows) + " flows";
}

void Merger::quiet() {
  if (output_.is_read_live())
    output_.flush();
}

void Merger::housekeep(std::uint64_t now_ns) {
  quiet();
  counters_[MergerCounter::flows_written] = output_.lines_written();
  counters_[MergerCounter::octets_written] = output_.octets_written();
  counters_[MergerCounter::digest_low] = digest_.low;
  counters_[MergerCounter::digest_high] = digest_.high;
  counters_[MergerCounter::stall_max_ns] = loop_.duty().stall_max_ns();
  counters_[MergerCounter::stall_max_second] = loop_.duty().stall_max_second();
  publish_(counters_, now_ns);
}

} // namespace orbweaver
