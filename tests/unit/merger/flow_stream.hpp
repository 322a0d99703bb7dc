// SPDX-License-Identifier: GPL-3.0-or-later
// Field tables and flow records for tests: a table is built field by field, and records are filled by field number.
#pragma once

#include "common/stream/record.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/stream_header.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::test {

/// A flow record's octets, its header included.
using Record = std::vector<std::byte>;

/// A table whose fields lie one after the other without any padding, so that most are not aligned.
class Table {
public:
  Table() { header_.record_bytes = sizeof(RecordHeader); }

  Table& add(std::string_view name, FieldType type) {
    auto& field = header_.fields.at(header_.field_count++);
    std::copy_n(name.data(), std::min(name.size(), field.name.size() - 1), field.name.data());
    field.type = type;
    field.offset = header_.record_bytes;
    header_.record_bytes += field_size(type);
    return *this;
  }

  [[nodiscard]] const StreamHeader& header() const { return header_; }
  [[nodiscard]] Record record() const { return Record(header_.record_bytes); }

  template <typename T>
  void set(Record& record, std::size_t field, const T& value) const {
    std::memcpy(record.data() + header_.fields.at(field).offset, &value, sizeof value);
  }

private:
  StreamHeader header_ = make_stream_header(StreamKind::flows);
};

/// Writes records that each hold one u64, and an end record, to a file.
inline void write_numbers(const std::string& path, std::uint64_t from, std::uint64_t to) {
  const auto table = Table().add("n", FieldType::u64);
  auto writer = RecordWriter::open({Endpoint::Kind::file, path}, table.header());
  auto record = table.record();
  for (auto number = from; number < to; ++number) {
    table.set(record, 0, number);
    writer.write(record.data(), table.header().record_bytes, RecordKind::flow);
  }
  writer.finish(EndCause::complete, std::atomic<bool>{false});
}

} // namespace orbweaver::test
