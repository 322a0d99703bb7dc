// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream_header.hpp"

#include "common/record.hpp"

#include <algorithm>

namespace orbweaver {

std::string_view to_string(StreamKind kind) noexcept {
  switch (kind) {
  case StreamKind::packets:
    return "packets";
  case StreamKind::flows:
    return "flows";
  case StreamKind::jobs:
    return "jobs";
  }
  return "unknown records";
}

std::uint32_t field_size(FieldType type) noexcept {
  switch (type) {
  case FieldType::boolean:
  case FieldType::u8:
  case FieldType::boolean_or_null:
  case FieldType::end_reason:
    return 1;
  case FieldType::u16:
  case FieldType::u8_or_null:
    return 2;
  case FieldType::u32:
  case FieldType::u16_or_null:
    return 4;
  case FieldType::u64:
  case FieldType::u32_or_null:
  case FieldType::time_ns:
    return 8;
  case FieldType::address:
    return 17;
  }
  return 0;
}

StreamHeader make_stream_header(StreamKind kind) noexcept {
  StreamHeader header;
  header.magic = stream_magic;
  header.version = stream_version;
  header.kind = kind;
  return header;
}

namespace {

template <std::size_t N>
bool terminated(const std::array<char, N>& text) {
  return std::find(text.begin(), text.end(), '\0') != text.end();
}

} // namespace

std::string check_stream_header(const StreamHeader& header, StreamKind expected) {
  if (header.magic != stream_magic)
    return "not an Orbweaver stream (its first octets are something else)";
  if (header.version != stream_version)
    return "stream version " + std::to_string(header.version) + ", this program reads version " +
           std::to_string(stream_version) + ": record it again with this version";
  if (header.kind != expected)
    return "holds " + std::string(to_string(header.kind)) + ", wanted " + std::string(to_string(expected));
  if (header.field_count > max_fields)
    return "damaged: " + std::to_string(header.field_count) + " fields";
  if (header.kind == StreamKind::flows && header.record_bytes < sizeof(RecordHeader))
    return "damaged: flow records of " + std::to_string(header.record_bytes) + " octets";
  for (const auto& field : header.field_table()) {
    const auto size = field_size(field.type);
    if (!terminated(field.name) || !terminated(field.chain) || size == 0 || field.offset > header.record_bytes ||
        header.record_bytes - field.offset < size)
      return "damaged: field " + std::to_string(&field - header.fields.data()) + " is not within a record";
  }
  return {};
}

} // namespace orbweaver
