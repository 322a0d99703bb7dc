// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/stream_header.hpp"

#include <doctest/doctest.h>
#include <limits>
#include <string>

using namespace orbweaver;

namespace {

/// Flow records of 32 octets with one u64 at their end.
StreamHeader flow_header() {
  auto header = make_stream_header(StreamKind::flows);
  header.record_bytes = 32;
  header.field_count = 1;
  header.fields[0].name = {'n'};
  header.fields[0].type = FieldType::u64;
  header.fields[0].offset = 24;
  return header;
}

void check_refused(const StreamHeader& header, const std::string& why) {
  CHECK(check_stream_header(header, StreamKind::flows).find(why) != std::string::npos);
}

} // namespace

TEST_CASE("a header as it was made is accepted as its own kind only") {
  for (const auto kind : {StreamKind::packets, StreamKind::jobs})
    CHECK(check_stream_header(make_stream_header(kind), kind).empty());
  CHECK(check_stream_header(flow_header(), StreamKind::flows).empty());
  CHECK(check_stream_header(flow_header(), StreamKind::packets) == "holds flows, wanted packets");
  CHECK(check_stream_header(make_stream_header(static_cast<StreamKind>(9)), StreamKind::flows) ==
        "holds unknown records, wanted flows");
}

TEST_CASE("another magic or version is refused and says what to do") {
  auto header = flow_header();
  header.magic[7] = 0;
  check_refused(header, "not an Orbweaver stream");
  header = flow_header();
  header.version = stream_version + 1;
  check_refused(header, "record it again with this version");
}

TEST_CASE("more fields than a table has, and records without a header, are damage") {
  auto header = flow_header();
  header.field_count = max_fields + 1;
  check_refused(header, "damaged at offset 32: 241 fields");
  header.field_count = std::numeric_limits<std::uint32_t>::max();
  check_refused(header, "damaged");
  header = flow_header();
  header.field_count = 0;
  header.record_bytes = 7;
  check_refused(header, "damaged at offset 28: flow records of 7 octets");
}

TEST_CASE("a field must lie within the record to its last octet") {
  for (const std::uint32_t offset : {25U, 32U, 33U, 0xFFFFFFF8U, 0xFFFFFFFFU}) {
    auto header = flow_header();
    header.fields[0].offset = offset;
    check_refused(header, "damaged at offset 64: field 0 is not within a record");
  }
}

TEST_CASE("a field of a type that does not exist is damage") {
  for (const unsigned type : {0U, 13U, 255U}) {
    auto header = flow_header();
    header.fields[0].type = static_cast<FieldType>(type);
    check_refused(header, "damaged at offset 64: field 0");
    CHECK(field_size(static_cast<FieldType>(type)) == 0);
  }
}

TEST_CASE("names that do not end are damage, names of full length are not") {
  auto header = flow_header();
  header.fields[0].name.fill('x');
  check_refused(header, "damaged at offset 64: field 0");
  header.fields[0].name.back() = '\0';
  CHECK(check_stream_header(header, StreamKind::flows).empty());
  CHECK(header.fields[0].name_view().size() == 39);
  header.fields[0].chain.fill('x');
  check_refused(header, "damaged at offset 64: field 0");
}

TEST_CASE("damage is named with the offset of the field's descriptor") {
  auto header = flow_header();
  header.field_count = 3;
  header.fields[1] = header.fields[0];
  check_refused(header, "damaged at offset 192: field 2");
}

TEST_CASE("the header of a file must have its checksum, that of a ring need not") {
  auto header = flow_header();
  CHECK(check_file_header(header, StreamKind::flows).find("damaged at offset 0: ") == 0);
  header.checksum = header_checksum(header);
  CHECK(check_file_header(header, StreamKind::flows).empty());
  CHECK(check_file_header(header, StreamKind::jobs) == "holds flows, wanted jobs");
  CHECK(header_checksum(header) == header.checksum);
  header.fields[max_fields - 1].reserved[2] = 1;
  CHECK(check_file_header(header, StreamKind::flows).find("damaged at offset 0: ") == 0);
  CHECK(check_stream_header(header, StreamKind::flows).empty());
  header.version = 1;
  CHECK(check_file_header(header, StreamKind::flows).find("stream version 1 (at offset 8)") == 0);
}

TEST_CASE("fields behind field_count are not looked at") {
  auto header = flow_header();
  header.fields[1].offset = 1000;
  CHECK(check_stream_header(header, StreamKind::flows).empty());
  CHECK(header.field_table().size() == 1);
}

TEST_CASE("every type has the size that its description says") {
  CHECK(field_size(FieldType::boolean) == 1);
  CHECK(field_size(FieldType::u8) == 1);
  CHECK(field_size(FieldType::u16) == 2);
  CHECK(field_size(FieldType::u32) == 4);
  CHECK(field_size(FieldType::u64) == 8);
  CHECK(field_size(FieldType::boolean_or_null) == 1);
  CHECK(field_size(FieldType::u8_or_null) == 2);
  CHECK(field_size(FieldType::u16_or_null) == 4);
  CHECK(field_size(FieldType::u32_or_null) == 8);
  CHECK(field_size(FieldType::address) == 17);
  CHECK(field_size(FieldType::time_ns) == 8);
  CHECK(field_size(FieldType::end_reason) == 1);
}
