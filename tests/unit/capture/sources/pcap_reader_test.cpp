// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using craft::PcapWriter;
using Status = Source::Status;

namespace {

constexpr std::int64_t t0 = 1'700'000'000'123'456'789;

Bytes three_packets(const PcapWriter::Options& options = {}) {
  return PcapWriter(options)
      .packet(t0, Bytes(60, 1))
      .packet(t0 + 1'000'000'000, Bytes(70, 2), 1500)
      .packet(t0 + 2'000'000'000, Bytes(80, 3))
      .bytes();
}

std::string refusal(const Bytes& bytes) {
  try {
    (void)read_bytes(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

} // namespace

TEST_CASE("a pcap file is read in both byte orders and both resolutions") {
  for (const std::endian order : {std::endian::little, std::endian::big})
    for (const bool nanoseconds : {false, true}) {
      const ReadResult all = read_bytes(three_packets({.order = order, .nanoseconds = nanoseconds}));
      CHECK(all.status == Status::end);
      REQUIRE(all.frames.size() == 3);
      CHECK(all.frames[0].octets == Bytes(60, 1));
      CHECK(all.frames[0].time_ns == static_cast<std::uint64_t>(nanoseconds ? t0 : t0 - 789));
      CHECK(all.frames[0].wire_length == 60);
      CHECK(all.frames[1].octets == Bytes(70, 2));
      CHECK(all.frames[1].wire_length == 1500);
      CHECK(all.frames[2].link == LinkType::ethernet);
    }
}

TEST_CASE("batches of any size give the same frames") {
  for (const std::size_t batch : {1, 2, 3, 64})
    CHECK(read_bytes(three_packets(), 0, batch).frames.size() == 3);
}

TEST_CASE("a snap length of the user cuts frames and leaves wire lengths alone") {
  const ReadResult all = read_bytes(three_packets(), 64);
  CHECK(all.frames[0].octets.size() == 60);
  CHECK(all.frames[1].octets.size() == 64);
  CHECK(all.frames[1].wire_length == 1500);
}

TEST_CASE("a header without a packet is a capture of none") {
  const ReadResult all = read_bytes(PcapWriter().bytes());
  CHECK(all.status == Status::end);
  CHECK(all.frames.empty());
}

TEST_CASE("every packet before the cut is given, and the error says where the file was cut off") {
  const Bytes whole = three_packets();
  for (std::size_t length = 24; length < whole.size(); ++length) {
    const ReadResult all = read_bytes(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    const std::size_t ends[] = {24, 24 + 76, 24 + 76 + 86};
    const std::size_t complete = length >= ends[2] ? 2 : length >= ends[1] ? 1 : 0;
    CAPTURE(length);
    CHECK(all.frames.size() == complete);
    if (length == ends[complete]) {
      CHECK(all.status == Status::end);
    } else {
      CHECK(all.status == Status::failed);
      CHECK(contains(all.error, "test.pcap: cut off in the middle of a packet"));
      CHECK(contains(all.error, "offset " + std::to_string(ends[complete]) + " "));
    }
  }
}

TEST_CASE("after the end and after a failure, reading gives the same again") {
  Bytes bytes = three_packets();
  bytes.pop_back();
  const auto source = make_capture_reader(std::make_unique<MemoryInput>("x", bytes), 0);
  CHECK(read_all(*source).frames.size() == 2);
  const std::string error = source->error();
  CHECK(read_all(*source).status == Status::failed);
  CHECK(source->error() == error);
}

TEST_CASE("a packet longer than the file's own snap length is given whole when it is there") {
  Bytes bytes = three_packets();
  craft::store_u32(bytes, 16, 40, std::endian::little);
  const ReadResult all = read_bytes(bytes);
  CHECK(all.status == Status::end);
  CHECK(all.frames[2].octets.size() == 80);
}

TEST_CASE("an impossible captured length is named with its offset, after the packets before it") {
  for (const std::uint32_t length : {262'145U, 0x10000001U, 0xffffffffU}) {
    Bytes bytes = three_packets();
    craft::store_u32(bytes, 24 + 76 + 8, length, std::endian::little);
    const ReadResult all = read_bytes(bytes);
    CHECK(all.status == Status::failed);
    CHECK(all.frames.size() == 1);
    CHECK(contains(all.error, "offset 100: a packet of " + std::to_string(length)));
  }
}

TEST_CASE("a snap length in the header that is larger than usual allows larger packets") {
  Bytes bytes = PcapWriter({.snap_length = 400'000}).packet(t0, Bytes(300'000, 7)).bytes();
  const ReadResult all = read_bytes(bytes);
  CHECK(all.status == Status::end);
  CHECK(all.frames.at(0).octets.size() == 300'000);
}

TEST_CASE("a zero captured length is a frame without octets") {
  const ReadResult all = read_bytes(PcapWriter().packet(t0, {}, 60).packet(t0, Bytes(60, 1)).bytes());
  REQUIRE(all.frames.size() == 2);
  CHECK(all.frames[0].octets.empty());
  CHECK(all.frames[0].wire_length == 60);
}

TEST_CASE("the variant with longer record headers is read") {
  Bytes bytes = PcapWriter().packet(t0, Bytes(60, 1)).packet(t0, Bytes(61, 2)).bytes();
  craft::store_u32(bytes, 0, 0xa1b2cd34, std::endian::little);
  bytes.insert(bytes.begin() + 24 + 76 + 16, 8, 0xee);
  bytes.insert(bytes.begin() + 24 + 16, 8, 0xee);
  const ReadResult all = read_bytes(bytes);
  CHECK(all.status == Status::end);
  REQUIRE(all.frames.size() == 2);
  CHECK(all.frames[1].octets == Bytes(61, 2));
}

TEST_CASE("each supported link type is told from the header") {
  const std::pair<std::uint32_t, LinkType> known[] = {
      {0, LinkType::null},         {1, LinkType::ethernet},    {9, LinkType::ppp},        {12, LinkType::raw_ip},
      {14, LinkType::raw_ip},      {50, LinkType::ppp_serial}, {51, LinkType::ppp_ether}, {101, LinkType::raw_ip},
      {108, LinkType::loop},       {113, LinkType::linux_sll}, {228, LinkType::raw_ip},   {229, LinkType::raw_ip},
      {276, LinkType::linux_sll2},
  };
  for (const auto& [number, link] : known)
    CHECK(read_bytes(three_packets({.link_type = number})).frames.at(0).link == link);
}

TEST_CASE("bits about the frame check sequence above the link type are no part of it") {
  CHECK(read_bytes(three_packets({.link_type = 0x24000001})).frames.at(0).link == LinkType::ethernet);
}

TEST_CASE("what is not read is refused by name") {
  CHECK(contains(refusal(three_packets({.link_type = 209})), "test.pcap: link type 209 (IPMB_LINUX) is not supported"));
  CHECK(contains(refusal({}), "test.pcap: is empty"));
  CHECK(contains(refusal(Bytes(23, 0)), "neither pcap nor pcapng"));
  const Bytes whole = three_packets();
  CHECK(contains(refusal(Bytes(whole.begin(), whole.begin() + 20)), "cut off in the file header: 20 of 24"));
  CHECK(contains(refusal(craft::to_bytes("plain text, not a capture")), "it starts with 70 6c 61 69"));
  CHECK(contains(refusal(craft::to_bytes("\x02\x21\x4c\x18 and the rest of a file")), "lz4"));
  Bytes old = whole;
  craft::store_u16(old, 4, 1, std::endian::little);
  CHECK(contains(refusal(old), "pcap version 1.4"));
}

namespace {

/// Version `major`.`minor`, with the lengths of its two records in the places given: 8 or 12.
Bytes old_capture(std::uint16_t major, std::uint16_t minor, std::size_t captured_at, std::endian order) {
  Bytes bytes = PcapWriter({.order = order}).packet(t0, Bytes(60, 1), 1500).packet(t0, Bytes(61, 2), 61).bytes();
  craft::store_u16(bytes, 4, major, order);
  craft::store_u16(bytes, 6, minor, order);
  craft::store_u32(bytes, 24 + captured_at, 60, order);
  craft::store_u32(bytes, 24 + (captured_at == 8 ? 12 : 8), 1500, order);
  return bytes;
}

Bytes operator+(Bytes one, const Bytes& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

} // namespace

TEST_CASE("before 2.3 the wire length stands first, in 2.3 either does, and DG/UX has its own number") {
  struct Version {
    std::uint16_t major, minor;
    std::size_t captured_at;
  };
  for (const auto order : {std::endian::little, std::endian::big})
    for (const Version& version : {Version{2, 0, 12}, Version{2, 1, 12}, Version{2, 2, 12}, Version{2, 3, 12},
                                   Version{2, 3, 8}, Version{543, 0, 12}}) {
      const ReadResult all = read_bytes(old_capture(version.major, version.minor, version.captured_at, order));
      CAPTURE(version.minor);
      CHECK(all.status == Status::end);
      REQUIRE(all.frames.size() == 2);
      CHECK(all.frames[0].octets == Bytes(60, 1));
      CHECK(all.frames[0].wire_length == 1500);
      CHECK(all.frames[1].octets == Bytes(61, 2));
    }
}

TEST_CASE("a second capture behind the first is read as its own header says, whatever either is") {
  const Bytes pcapng = craft::PcapngWriter()
                           .section(std::endian::big)
                           .interface({.link_type = craft::link_raw})
                           .enhanced_packet(0, t0, Bytes(60, 1))
                           .bytes();
  const auto pcap = [](const PcapWriter::Options& options) {
    return PcapWriter(options).packet(t0, Bytes(60, 1)).bytes();
  };
  Bytes zoned = pcap({}), modified = PcapWriter().bytes();
  craft::store_u32(zoned, 8, 3600, std::endian::little);
  craft::store_u32(modified, 0, 0xa1b2cd34, std::endian::little);
  const Bytes parts[] = {pcap({}),
                         pcap({.order = std::endian::big}),
                         pcap({.link_type = craft::link_raw, .nanoseconds = true}),
                         pcap({.link_type = craft::link_raw, .order = std::endian::big, .nanoseconds = true}),
                         old_capture(2, 2, 12, std::endian::big),
                         old_capture(2, 3, 8, std::endian::little),
                         zoned,
                         PcapWriter().bytes(),
                         PcapWriter({.order = std::endian::big}).bytes(),
                         modified,
                         pcapng};
  for (const Bytes& one : parts)
    for (const Bytes& two : parts)
      for (const std::size_t batch : {std::size_t{1}, frame_batch}) {
        const ReadResult all = read_bytes(one + two + one, 0, batch);
        const std::size_t in_one = read_bytes(one).frames.size();
        CHECK_MESSAGE(all.status == Status::end, all.error);
        REQUIRE(all.frames.size() == 2 * in_one + read_bytes(two).frames.size());
        for (std::size_t i = 0; i < in_one; ++i) {
          CHECK(all.frames[i].link == all.frames[all.frames.size() - in_one + i].link);
          CHECK(all.frames[i].octets == all.frames[all.frames.size() - in_one + i].octets);
          CHECK(all.frames[i].time_ns / 1000 == t0 / 1000);
        }
      }
}

TEST_CASE("of captures joined end to end, what has an unsupported link type is skipped, counted and named") {
  const Bytes radio = three_packets({.link_type = 147});
  const ReadResult all = read_bytes(three_packets() + radio + three_packets({.order = std::endian::big}) + radio);
  CHECK(all.status == Status::end);
  CHECK(all.frames.size() == 6);
  CHECK(all.skipped == 6);
  CHECK_MESSAGE(contains(all.warning, "6 packets were skipped: link type 147 "), all.warning);
}

TEST_CASE("what is wrong behind a second header is named with its offset in the file") {
  const Bytes one = three_packets();
  const Bytes pcapng =
      craft::PcapngWriter().section().interface({}).enhanced_packet(0, 0, Bytes(60, 1)).bytes() + Bytes(12, 0xff);
  Bytes cut = one + one;
  cut.pop_back();
  const ReadResult behind_pcap = read_bytes(cut);
  CHECK(behind_pcap.frames.size() == 5);
  CHECK(contains(behind_pcap.error, "the record at offset " + std::to_string(one.size() + 24 + 76 + 86)));
  const ReadResult behind_pcapng = read_bytes(one + pcapng);
  CHECK(behind_pcapng.frames.size() == 4);
  CHECK(contains(behind_pcapng.error, "offset " + std::to_string(one.size() + pcapng.size() - 12) + ": a block of"));
  const ReadResult in_header = read_bytes(one + Bytes(one.begin(), one.begin() + 18));
  CHECK(in_header.frames.size() == 3);
  CHECK(contains(in_header.error, "cut off"));
}

TEST_CASE("a packet whose time reads like a header's first octets is a packet") {
  // The 23rd of January 2011 is the magic of the other byte order.
  Bytes bytes = PcapWriter().packet(0x4d3cb2a1LL * 1'000'000'000 + 262'146'000, Bytes(60, 1)).bytes();
  CHECK(read_bytes(bytes).frames.size() == 1);
  craft::store_u32(bytes, 24 + 12, 0, std::endian::little); // and no length on the wire
  CHECK(read_bytes(bytes).frames.size() == 1);
}
