// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/stream_header.hpp"

#include "common/stream/checksum.hpp"
#include "common/stream/record.hpp"

#include <algorithm>
#include <cstddef>

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

std::string damaged_at(std::size_t offset, const std::string& why) {
  return "damaged at offset " + std::to_string(offset) + ": " + why;
}

std::string check_magic_and_version(const StreamHeader& header) {
  if (header.magic != stream_magic)
    return "not an Orbweaver stream (something else is at offset 0)";
  if (header.version != stream_version)
    return "stream version " + std::to_string(header.version) + " (at offset " +
           std::to_string(offsetof(StreamHeader, version)) + "), this program reads version " +
           std::to_string(stream_version) + ": record it again with this version";
  return {};
}

} // namespace

std::uint64_t header_checksum(const StreamHeader& header) noexcept {
  StreamHeader bare = header;
  bare.checksum = 0;
  return checksum(std::as_bytes(std::span(&bare, 1)));
}

std::string check_stream_header(const StreamHeader& header, StreamKind expected) {
  if (auto why = check_magic_and_version(header); !why.empty())
    return why;
  if (header.kind != expected)
    return "holds " + std::string(to_string(header.kind)) + ", wanted " + std::string(to_string(expected));
  if (header.field_count > max_fields)
    return damaged_at(offsetof(StreamHeader, field_count), std::to_string(header.field_count) + " fields");
  if (header.kind == StreamKind::flows && header.record_bytes < sizeof(RecordHeader))
    return damaged_at(offsetof(StreamHeader, record_bytes),
                      "flow records of " + std::to_string(header.record_bytes) + " octets");
  for (std::size_t i = 0; i < header.field_count; ++i) {
    const auto& field = header.fields[i];
    const auto size = field_size(field.type);
    if (!terminated(field.name) || !terminated(field.chain) || size == 0 || field.offset > header.record_bytes ||
        header.record_bytes - field.offset < size)
      return damaged_at(offsetof(StreamHeader, fields) + i * sizeof field,
                        "field " + std::to_string(i) + " is not within a record");
  }
  return {};
}

std::string check_file_header(const StreamHeader& header, StreamKind expected) {
  if (auto why = check_magic_and_version(header); !why.empty())
    return why;
  if (header.checksum != header_checksum(header))
    return damaged_at(0, "the header was altered, its checksum is another");
  return check_stream_header(header, expected);
}

} // namespace orbweaver
