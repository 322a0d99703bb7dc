// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/stream_header.hpp"

#include "common/error.hpp"
#include "common/stream/record.hpp"
#include "common/stream/records/flow_record.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace orbweaver;

namespace {

FieldDescription field(const std::string& name, const std::string& type, std::uint32_t offset) {
  FieldDescription made;
  made.name = name;
  made.type = *field_type_named(type);
  made.offset = offset;
  return made;
}

/// A flow stream with some fields of its own, and a table of events.
StreamDescription flows() {
  StreamDescription stream = stream_of(StreamKind::flows, 3);
  TableDescription table;
  table.name = "flows";
  table.record_octets = sizeof(FlowRecord) + 32;
  auto forward = field("size_fwd", "u64", 80), reverse = field("size_rev", "u64", 88);
  forward.chain = reverse.chain = "mine";
  forward.help = "says \"so\" and no more";
  forward.unit = "octets";
  forward.ipfix = "octetDeltaCount";
  forward.mirror = "size_rev";
  reverse.mirror = "size_fwd";
  auto kind = field("kind", "enum", 96);
  kind.names = {"", "one", "two"};
  table.fields = {forward, reverse, kind, field("name", "text", 104)};
  stream.tables.push_back(table);
  table.name = "dns";
  table.record_octets = sizeof(EventRecord) + 8;
  table.fields = {field("answer", "list_of_text", 64)};
  stream.tables.push_back(table);
  return stream;
}

std::string why_not(const StreamDescription& stream) {
  try {
    static_cast<void>(StreamDescription::decode(stream.encode()));
  } catch (const Error& error) {
    return error.what();
  }
  return "read";
}

std::string why_not(void (*spoil)(TableDescription& table)) {
  auto stream = flows();
  spoil(stream.tables[0]);
  return why_not(stream);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a description is read as it was written") {
  const auto stream = flows();
  CHECK(StreamDescription::decode(stream.encode()) == stream);
  auto jobs = stream_of(StreamKind::jobs);
  jobs.plugin = {"dscp", "1.0", "http", 2, {{"codepoint", {"8", "46"}}, {"quotes", {"a\"b"}}}};
  CHECK(StreamDescription::decode(jobs.encode()) == jobs);
}

TEST_CASE("a field must lie within the record to its last octet") {
  CHECK(has(why_not([](auto& table) { table.fields[0].offset = sizeof(FlowRecord) + 25; }), "'size_fwd'"));
  CHECK(has(why_not([](auto& table) { table.fields[0].offset = 0xFFFFFFF8; }), "is not within a record"));
  CHECK(has(why_not([](auto& table) { table.fields[0].offset = 4; }), "is not within a record"));
  CHECK(why_not([](auto& table) { table.fields[0].offset = sizeof(FlowRecord) + 24; }) == "read");
}

TEST_CASE("names that do not fit, names that come twice and mirrors that are none are refused by name") {
  CHECK(has(why_not([](auto& table) { table.fields[0].name = "a b"; }), "'a b'"));
  CHECK(has(why_not([](auto& table) { table.fields[0].name = "size_rev"; }), "'size_rev'"));
  CHECK(has(why_not([](auto& table) { table.fields[0].mirror = "kind"; }), "no mirror of 'kind'"));
  CHECK(has(why_not([](auto& table) { table.fields[0].name = "event"; }), "what rows call their table"));
  CHECK(has(why_not([](auto& table) { table.name = ""; }), "name of a table"));
  CHECK(has(why_not([](auto& table) { table.record_octets = 8; }), "8 octets cannot be"));
  auto twice = flows();
  twice.tables[1].name = "flows";
  CHECK(has(why_not(twice), "two tables 'flows'"));
  CHECK(has(why_not(stream_of(StreamKind::flows)), "no table"));
}

TEST_CASE("text that is no description is refused with its reason") {
  for (const std::string text : {"", "{", "[]", "null", R"({"kind":"flows"})", R"({"kind":"flows","needs":-1})",
                                 R"({"kind":"flows","needs":0,"tables":[{"name":"flows"}]})"})
    CHECK_THROWS_AS(static_cast<void>(StreamDescription::decode(text)), Error);
  const std::string type = R"({"kind":"flows","needs":0,"tables":[{"name":"flows","record_octets":88,)"
                           R"("fields":[{"at":80,"name":"x","type":"u128"}]}]})";
  CHECK_THROWS_WITH_AS(static_cast<void>(StreamDescription::decode(type)), doctest::Contains("'u128'"), Error);
}

TEST_CASE("a header as it was made is accepted as its own kind only") {
  for (const auto kind : {StreamKind::packets, StreamKind::jobs})
    CHECK(check_stream_header(encode_stream(stream_of(kind)).header, kind).empty());
  const auto header = encode_stream(flows()).header;
  CHECK(check_stream_header(header, StreamKind::flows).empty());
  CHECK(check_stream_header(header, StreamKind::packets) == "holds flows, wanted packets");
}

TEST_CASE("another magic, version or length of the description is refused and says what to do") {
  auto header = encode_stream(flows()).header;
  header.magic[7] = 0;
  CHECK(has(check_stream_header(header, StreamKind::flows), "not an Orbweaver stream"));
  header = encode_stream(flows()).header;
  header.version = stream_version + 1;
  CHECK(has(check_stream_header(header, StreamKind::flows), "record it again with this version"));
  for (const std::uint32_t octets : {0U, 12U, 0xFFFFFFF8U}) {
    header = encode_stream(flows()).header;
    header.description_octets = octets;
    CHECK(has(check_stream_header(header, StreamKind::flows), "damaged at offset 24"));
  }
}

TEST_CASE("the checksum is that of header and description, and does not count itself") {
  auto [header, text] = encode_stream(flows());
  const auto checksum = stream_checksum(header, text);
  header.checksum = checksum;
  CHECK(stream_checksum(header, text) == checksum);
  text[5] ^= 1;
  CHECK(stream_checksum(header, text) != checksum);
  text[5] ^= 1;
  header.kind = StreamKind::jobs;
  CHECK(stream_checksum(header, text) != checksum);
}

TEST_CASE("a description of another kind than its header is damage") {
  const auto [header, text] = encode_stream(flows());
  CHECK(decode_stream(header, text) == flows());
  auto jobs = header;
  jobs.kind = StreamKind::jobs;
  CHECK_THROWS_WITH_AS(static_cast<void>(decode_stream(jobs, text)), doctest::Contains("one of flows"), Error);
}
