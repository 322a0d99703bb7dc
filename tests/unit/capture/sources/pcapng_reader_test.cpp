// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pcapng_reader.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using craft::PcapngWriter;
using Status = Source::Status;

namespace {

constexpr std::int64_t t0 = 1'700'000'000'123'456'789;

/// A section of one Ethernet interface with nanoseconds and one packet: the packet's block begins at `packet_at`.
Bytes one_packet(std::endian order = std::endian::little) {
  return PcapngWriter()
      .section(order)
      .interface({.time_resolution = 9})
      .enhanced_packet(0, t0, Bytes(61, 1), 1500)
      .bytes();
}

} // namespace

TEST_CASE("sections keep their own byte order and their own interfaces") {
  PcapngWriter writer;
  for (const std::endian order : {std::endian::little, std::endian::big, std::endian::little})
    writer.section(order, true)
        .interface({.link_type = craft::link_raw, .time_resolution = 9})
        .enhanced_packet(0, t0, Bytes(41, 4), 99)
        .end_section();
  const ReadResult all = read_bytes(writer.bytes());
  CHECK(all.status == Status::end);
  REQUIRE(all.frames.size() == 3);
  for (const ReadFrame& frame : all.frames) {
    CHECK(frame.octets == Bytes(41, 4));
    CHECK(frame.time_ns == t0);
    CHECK(frame.wire_length == 99);
    CHECK(frame.link == LinkType::raw_ip);
  }
}

TEST_CASE("interfaces differ in link type, resolution and offset") {
  PcapngWriter writer;
  writer.section()
      .interface({})
      .interface({.link_type = craft::link_linux_sll, .time_resolution = 9})
      .interface({.time_resolution = 0})
      .interface({.time_resolution = 12})
      .interface({.time_resolution = PcapngWriter::power_of_two | 10})
      .interface({.time_resolution = 9, .time_offset_s = 1'000'000'000})
      .interface({.time_resolution = 6, .time_offset_s = -3600});
  const std::int64_t early = 1'000'123'456'789; // so that all of them can say it
  for (std::uint32_t i = 0; i < 7; ++i)
    writer.enhanced_packet(i, i == 5 ? early + 1'000'000'000'000'000'000 : early, Bytes(60, 1));
  const ReadResult all = read_bytes(writer.bytes());
  REQUIRE(all.frames.size() == 7);
  CHECK(all.frames[0].time_ns == 1'000'123'456'000);
  CHECK(all.frames[1].time_ns == 1'000'123'456'789);
  CHECK(all.frames[1].link == LinkType::linux_sll);
  CHECK(all.frames[2].time_ns == 1'000'000'000'000);
  CHECK(all.frames[3].time_ns == 1'000'123'456'789);
  CHECK(all.frames[4].time_ns == 1'000'000'000'000 + 1'000'000'000ULL * 126 / 1024);
  CHECK(all.frames[5].time_ns == 1'000'001'000'123'456'789);
  CHECK(all.frames[6].time_ns == 1'000'123'456'000);
}

TEST_CASE("a clock clamps what 64 bits of nanoseconds cannot hold") {
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  CHECK(InterfaceClock(6, 0).nanoseconds(most) == most);
  CHECK(InterfaceClock(0, 0).nanoseconds(most) == most);
  CHECK(InterfaceClock(9, 0).nanoseconds(most) == most);
  CHECK(InterfaceClock(6, -2).nanoseconds(1'000'000) == 0);
  CHECK(InterfaceClock(6, std::numeric_limits<std::int64_t>::min()).nanoseconds(most) == 0);
  CHECK(InterfaceClock(6, std::numeric_limits<std::int64_t>::max()).nanoseconds(most) == most);
  CHECK(InterfaceClock(127, 0).nanoseconds(most) == 0);
  CHECK(InterfaceClock(28, 0).nanoseconds(most) == 1);
  CHECK(InterfaceClock(0xff, 0).nanoseconds(most) == 0);
  CHECK(InterfaceClock(0x80, 0).nanoseconds(5) == 5'000'000'000);
  CHECK(InterfaceClock(0x80 | 63, 0).nanoseconds(most) == 1'999'999'999);
}

TEST_CASE("a simple packet is cut by its interface's snap length and takes the time of the frame before it") {
  const ReadResult all = read_bytes(PcapngWriter()
                                        .section()
                                        .interface({.snap_length = 50, .time_resolution = 9})
                                        .enhanced_packet(0, t0, Bytes(40, 1))
                                        .simple_packet(Bytes(80, 2))
                                        .bytes());
  REQUIRE(all.frames.size() == 2);
  CHECK(all.frames[1].octets == Bytes(50, 2));
  CHECK(all.frames[1].wire_length == 80);
  CHECK(all.frames[1].time_ns == t0);
}

TEST_CASE("obsolete packet blocks are read in both byte orders") {
  for (const std::endian order : {std::endian::little, std::endian::big}) {
    const ReadResult all = read_bytes(PcapngWriter()
                                          .section(order)
                                          .interface({})
                                          .interface({.time_resolution = 9})
                                          .obsolete_packet(1, t0, Bytes(33, 3), 100, 5)
                                          .bytes());
    REQUIRE(all.frames.size() == 1);
    CHECK(all.frames[0].octets == Bytes(33, 3));
    CHECK(all.frames[0].time_ns == t0);
    CHECK(all.frames[0].wire_length == 100);
  }
}

TEST_CASE("blocks that carry no packet are passed over, known or not") {
  const std::uint8_t address[4] = {192, 0, 2, 1};
  const ReadResult all = read_bytes(PcapngWriter()
                                        .section(std::endian::big, false, {craft::comment("a capture")})
                                        .interface({.options = {craft::comment("an interface")}})
                                        .name_resolution(address, "example.net")
                                        .interface_statistics(0, t0, 7)
                                        .custom(32473, Bytes(13, 9), true)
                                        .custom(32473, Bytes(13, 9), false)
                                        .block(10, Bytes(40, 1)) // decryption secrets
                                        .block(0x7fffffff, Bytes(0))
                                        .enhanced_packet(0, t0, Bytes(60, 1), {}, {craft::comment("a packet")})
                                        .bytes());
  CHECK(all.status == Status::end);
  CHECK(all.frames.size() == 1);
}

TEST_CASE("packets of an unsupported interface are skipped, counted and named") {
  const auto begun = PcapngWriter().section().interface({.link_type = 209}).interface({});
  PcapngWriter mixed = begun;
  mixed.enhanced_packet(0, t0, Bytes(60, 1)).enhanced_packet(1, t0, Bytes(60, 2)).enhanced_packet(0, t0, Bytes(60, 3));
  const ReadResult all = read_bytes(mixed.bytes());
  CHECK(all.status == Status::end);
  CHECK(all.frames.size() == 1);
  CHECK(all.skipped == 2);
  CHECK(all.warning == "test.pcap: 2 packets were skipped: link type 209 (IPMB_LINUX) is not supported");

  mixed.interface({.link_type = 274}).enhanced_packet(2, t0, Bytes(60, 4));
  CHECK(read_bytes(mixed.bytes()).warning ==
        "test.pcap: 3 packets were skipped: link types 209 (IPMB_LINUX), 274 (ETHERNET_MPACKET) are not supported");

  PcapngWriter none = begun;
  none.enhanced_packet(0, t0, Bytes(60, 1));
  const ReadResult failed = read_bytes(none.bytes());
  CHECK(failed.status == Status::failed);
  CHECK(contains(failed.error, "link type 209 (IPMB_LINUX) is not supported"));
}

TEST_CASE("a file cut off anywhere gives what came before and says where") {
  const Bytes whole = PcapngWriter()
                          .section()
                          .interface({})
                          .enhanced_packet(0, t0, Bytes(60, 1))
                          .enhanced_packet(0, t0, Bytes(60, 2))
                          .bytes();
  const std::size_t last = whole.size() - 92;
  for (std::size_t length = last + 1; length < whole.size(); ++length) {
    const ReadResult all = read_bytes(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    CHECK(all.frames.size() == 1);
    CHECK(all.status == Status::failed);
    CHECK(contains(all.error, "the record at offset " + std::to_string(last)));
  }
  for (std::size_t length = 4; length < last; ++length)
    CHECK(read_bytes(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))).frames.empty());
}

TEST_CASE("hostile blocks are named with their offset") {
  const Bytes good = one_packet();
  const std::size_t packet_at = good.size() - (12 + 20 + 64);
  const auto error_with = [&](std::size_t offset, std::uint32_t value) {
    Bytes bytes = good;
    craft::store_u32(bytes, offset, value, std::endian::little);
    const ReadResult all = read_bytes(bytes);
    CHECK(all.status == Status::failed);
    CHECK(all.frames.empty());
    CHECK(contains(all.error, "offset " + std::to_string(offset < packet_at ? 0 : packet_at)));
    return all.error;
  };
  CHECK(contains(error_with(packet_at + 4, 0), "a block of 0 octets"));
  CHECK(contains(error_with(packet_at + 4, 8), "a block of 8 octets"));
  CHECK(contains(error_with(packet_at + 4, 97), "in multiples of 4"));
  CHECK(contains(error_with(packet_at + 4, 0xfffffffc), "a block of 4294967292"));
  CHECK(contains(error_with(packet_at + 4, 100), "cut off"));
  CHECK(contains(error_with(good.size() - 4, 92), "says 92 at its end"));
  CHECK(contains(error_with(packet_at + 8, 1), "interface 1, which is not described"));
  CHECK(contains(error_with(packet_at + 20, 65), "a packet of 65 octets in a block with room for 64"));
  CHECK(contains(error_with(packet_at + 20, 0xffffffff), "a packet of 4294967295 octets"));
  CHECK(contains(error_with(8, 0x11223344), "without the byte-order magic"));
}

TEST_CASE("packet blocks too short for their own header are refused") {
  for (const std::uint32_t type : {2U, 3U, 6U}) {
    PcapngWriter writer;
    writer.section().interface({}).block(type, type == 3 ? Bytes() : Bytes(16, 0));
    const ReadResult all = read_bytes(writer.bytes());
    CHECK(all.status == Status::failed);
    CHECK(contains(all.error, "too short to be one"));
  }
}

TEST_CASE("an interface option that runs out of its block is refused") {
  Bytes body = {1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 40, 0};
  const ReadResult all = read_bytes(PcapngWriter().section().block(1, body).bytes());
  CHECK(all.status == Status::failed);
  CHECK(contains(all.error, "whose option 9 runs out of the block"));
}
