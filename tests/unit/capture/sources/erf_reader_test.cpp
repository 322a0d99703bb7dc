// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/erf_reader.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using Status = Source::Status;

namespace {

struct Record {
  std::uint8_t type = 2;
  std::uint8_t flags = 0;
  std::uint16_t wire = 64;
  unsigned extensions = 0;
  std::optional<std::uint16_t> octets{}; ///< what it says that it has
};

Bytes erf(const Record& record, const Bytes& payload) {
  Bytes bytes;
  craft::append_u64(bytes, (std::uint64_t{1'700'000'000} << 32) | 0x40000000, std::endian::little);
  craft::append_u8(bytes, record.type | (record.extensions != 0 ? 0x80U : 0));
  craft::append_u8(bytes, record.flags);
  craft::append_u16(bytes, record.octets.value_or(16 + 8 * record.extensions + payload.size()));
  craft::append_u16(bytes, 0);
  craft::append_u16(bytes, record.wire);
  for (unsigned i = 1; i <= record.extensions; ++i)
    craft::append_u64(bytes, i < record.extensions ? 0x8000000000000000 : 0);
  craft::append(bytes, payload);
  return bytes;
}

Bytes operator+(Bytes one, const Bytes& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

ReadResult read_erf(const Bytes& bytes, std::uint32_t snap_length = 0) {
  ErfReader reader(std::make_unique<MemoryInput>("test.erf", bytes), snap_length);
  return read_all(reader);
}

} // namespace

TEST_CASE("Ethernet behind two octets of padding, and without its frame check sequence") {
  const ReadResult all = read_erf(erf({.wire = 68}, Bytes(2, 0) + Bytes(68, 7)) + erf({.type = 22}, Bytes(64, 0x45)));
  CHECK(all.status == Status::end);
  REQUIRE(all.frames.size() == 2);
  CHECK(all.frames[0].octets == Bytes(64, 7));
  CHECK(all.frames[0].time_ns == 1'700'000'000'250'000'000);
  CHECK(all.frames[0].link == LinkType::ethernet);
  CHECK(all.frames[1].octets == Bytes(64, 0x45));
  CHECK(all.frames[1].link == LinkType::raw_ip);
}

TEST_CASE("extension headers are stepped over") {
  for (const unsigned extensions : {1U, 2U, 5U}) {
    const ReadResult all =
        read_erf(erf({.type = 11, .wire = 68, .extensions = extensions}, Bytes(2, 0) + Bytes(64, 7)));
    REQUIRE(all.frames.size() == 1);
    CHECK(all.frames[0].octets == Bytes(64, 7));
  }
}

TEST_CASE("records that carry no packet are passed over, those of other types counted and named") {
  const Bytes packet = erf({.wire = 68}, Bytes(66, 0));
  const ReadResult all =
      read_erf(packet + erf({.type = 0}, Bytes(48, 0)) + erf({.type = 48}, Bytes(8, 0)) +
               erf({.type = 27}, Bytes(8, 0)) + erf({.type = 100}, {}) + erf({.flags = 0x10}, Bytes(66, 0)) + packet);
  CHECK(all.status == Status::end);
  CHECK(all.frames.size() == 2);
  CHECK(all.skipped == 2);
  CHECK(contains(all.warning, "2 records were skipped: ERF record type 0 "));
}

TEST_CASE("a file of types alone that are not known is an error") {
  const ReadResult all = read_erf(erf({.type = 3}, Bytes(64, 0)));
  CHECK(all.status == Status::failed);
  CHECK(contains(all.error, "ERF record type 3"));
}

TEST_CASE("a length that cannot be is named with its offset, after the packets before it") {
  const Bytes packet = erf({.wire = 68}, Bytes(66, 0));
  const auto fails = [&](const Bytes& bad, const char* why) {
    const ReadResult all = read_erf(packet + bad);
    CHECK(all.status == Status::failed);
    CHECK(all.frames.size() == 1);
    CHECK_MESSAGE(contains(all.error, why), all.error);
    CHECK(contains(all.error, "test.erf: "));
  };
  fails(Bytes(64, 0), "offset 82: an ERF record of type 0 that says it has 0 octets");
  fails(erf({.octets = 15}, Bytes(64, 0)), "says it has 15 octets");
  fails(erf({.octets = 17}, Bytes(1, 0)), "whose headers do not fit into its 17 octets");
  fails(erf({.type = 11, .extensions = 3, .octets = 32}, Bytes(64, 0)), "whose headers do not fit");
  fails(erf({.octets = 65535}, Bytes(64, 0)), "cut off in the middle of a packet");
  fails(Bytes(3, 0), "cut off in the middle of a packet");
}

TEST_CASE("no more octets are given than the wire had, or the snap length allows") {
  CHECK(read_erf(erf({.wire = 14}, Bytes(66, 1))).frames.at(0).octets.size() == 10);
  CHECK(read_erf(erf({.wire = 3}, Bytes(66, 1))).frames.at(0).octets.empty());
  const ReadResult cut = read_erf(erf({.wire = 68}, Bytes(66, 1)), 20);
  CHECK(cut.frames.at(0).octets.size() == 20);
  CHECK(cut.frames.at(0).wire_length == 64);
}
