// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/error.hpp"
#include "tests/support/compress.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <lzma.h>
#include <tuple>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes, craft::bzip2, craft::gzip, craft::lz4, craft::xz, craft::zstd;
using Status = Source::Status;

namespace {

constexpr Compression every[] = {Compression::gzip, Compression::bzip2, Compression::xz, Compression::zstd,
                                 Compression::lz4};

Bytes pack(Compression compression, const Bytes& plain) {
  switch (compression) {
  case Compression::gzip:
    return gzip(plain);
  case Compression::bzip2:
    return bzip2(plain);
  case Compression::xz:
    return xz(plain);
  case Compression::lz4:
    return lz4(plain);
  default:
    return zstd(plain);
  }
}

Bytes operator+(Bytes one, const Bytes& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

Bytes first(const Bytes& bytes, std::size_t octets) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(octets)};
}

/// Octets that hardly compress, the same each time.
Bytes noise(std::size_t octets, std::uint32_t seed) {
  Bytes bytes(octets);
  for (std::uint8_t& octet : bytes)
    octet = static_cast<std::uint8_t>((seed = seed * 1'664'525 + 1'013'904'223) >> 24);
  return bytes;
}

/// The file header and one piece for each packet.
std::vector<Bytes> pieces(std::uint32_t packets, std::size_t octets) {
  std::vector<Bytes> all{craft::PcapWriter().bytes()};
  for (std::uint32_t i = 0; i < packets; ++i) {
    const Bytes one = craft::PcapWriter().packet(1'700'000'000'000'000'000 + i * 1000, noise(octets, i + 1)).bytes();
    all.emplace_back(one.begin() + 24, one.end());
  }
  return all;
}

Bytes join(const std::vector<Bytes>& parts) {
  Bytes all;
  for (const Bytes& part : parts)
    all = std::move(all) + part;
  return all;
}

/// Where it is refused at once, it has failed without a frame.
ReadResult read_packed(const Bytes& packed, Compression compression) {
  try {
    const auto source = make_capture_reader(
        open_compressed_input(std::make_unique<MemoryInput>("test.packed", packed), compression), 0);
    return read_all(*source);
  } catch (const Error& error) {
    return {.frames = {}, .status = Status::failed, .error = error.what(), .warning = {}};
  }
}

/// Frames are those that were written, from the first on.
void check_noise(const ReadResult& result, std::size_t octets) {
  for (std::size_t i = 0; i < result.frames.size(); ++i)
    if (result.frames[i].octets != noise(octets, static_cast<std::uint32_t>(i) + 1))
      FAIL_CHECK("packet " << i << " is another than was written");
}

void check_whole(const ReadResult& result, std::size_t packets) {
  CHECK(result.status == Status::end);
  CHECK(result.error == "");
  CHECK(result.frames.size() == packets);
}

void check_failed(const ReadResult& result, std::size_t packets, const char* why) {
  CHECK(result.status == Status::failed);
  CHECK(result.frames.size() == packets);
  CHECK_MESSAGE(contains(result.error, why), result.error);
  CHECK(contains(result.error, "test.packed: "));
}

} // namespace

TEST_CASE("a compressed capture of one stream is read whole") {
  for (const Compression compression : every) {
    const ReadResult result = read_packed(pack(compression, join(pieces(3000, 1000))), compression);
    check_whole(result, 3000);
    check_noise(result, 1000);
  }
}

TEST_CASE("streams are read one after the other, empty ones too") {
  for (const Compression compression : every) {
    const std::vector<Bytes> parts = pieces(500, 5000);
    Bytes packed = pack(compression, {});
    for (const Bytes& part : parts)
      packed = packed + pack(compression, part) + pack(compression, {});
    const ReadResult result = read_packed(packed, compression);
    check_whole(result, 500);
    check_noise(result, 5000);
  }
}

TEST_CASE("data that compresses a thousandfold is given in pieces") {
  for (const Compression compression : every) {
    craft::PcapWriter writer;
    for (int i = 0; i < 300; ++i)
      writer.packet(i, Bytes(100'000, 7));
    check_whole(read_packed(pack(compression, writer.bytes()), compression), 300);
  }
}

TEST_CASE("streams that hold nothing are an empty capture") {
  for (const Compression compression : every)
    check_failed(read_packed(pack(compression, {}) + pack(compression, {}), compression), 0, "is empty");
}

TEST_CASE("wherever a compressed capture is cut off, all whole packets before the cut are given and the cut is named") {
  for (const Compression compression : every) {
    Bytes packed;
    std::vector<std::size_t> ends; // of streams: the file header's, then one for each packet
    for (const Bytes& part : pieces(3, 60)) {
      packed = packed + pack(compression, part);
      ends.push_back(packed.size());
    }
    for (std::size_t length = 1; length <= packed.size(); ++length) {
      CAPTURE(format_of(compression).name);
      CAPTURE(length);
      const ReadResult result = read_packed(first(packed, length), compression);
      const auto whole = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), length) -
                                                  ends.begin()); // streams before the cut
      CHECK(result.frames.size() + 1 >= whole);
      CHECK(result.frames.size() <= whole);
      check_noise(result, 60);
      if (std::find(ends.begin(), ends.end(), length) != ends.end())
        CHECK(result.status == Status::end);
      else
        check_failed(result, result.frames.size(), "is cut off");
      if (result.status == Status::failed)
        CHECK(contains(result.error, "ends after " + std::to_string(length) + " octets"));
    }
  }
}

TEST_CASE("of a single stream that is cut off, all is given that its format can tell") {
  // What is kept back at most: a block of bzip2 -1 is 100 kB, one of zstd 128 KiB; gzip and xz keep some octets.
  const std::pair<Compression, std::size_t> kept_back[] = {{Compression::gzip, 1'000},
                                                           {Compression::bzip2, 110'000},
                                                           {Compression::xz, 1'000},
                                                           {Compression::zstd, 135'000},
                                                           {Compression::lz4, 70'000}};
  for (const auto& format : kept_back) {
    const Compression compression = format.first;
    const std::size_t octets = format.second;
    const Bytes packed = pack(compression, join(pieces(1000, 1000)));
    for (const std::size_t length : {packed.size() / 3, packed.size() / 2, packed.size() - 20}) {
      const ReadResult result = read_packed(first(packed, length), compression);
      CAPTURE(format_of(compression).name);
      CAPTURE(length);
      check_noise(result, 1000);
      CHECK(result.frames.size() * 1016 + octets + 1016 > length * 99 / 100 - 500);
      check_failed(result, result.frames.size(), "is cut off: the compressed file ends after");
    }
  }
}

TEST_CASE("what stands behind the last stream is named, after all packets") {
  for (const Compression compression : every) {
    const Bytes packed = pack(compression, join(pieces(10, 60)));
    const std::string where = "from octet " + std::to_string(packed.size()) + " of the compressed file on";
    for (const Bytes& behind : {Bytes(1, 'x'), Bytes(100'000, 'x'), Bytes(3, 0), craft::to_bytes("BZ")})
      if (!may_start(format_of(compression), behind))
        check_failed(read_packed(packed + behind, compression), 10, where.c_str());
  }
}

TEST_CASE("zeros in fours are xz's own padding") {
  const std::vector<Bytes> parts = pieces(1, 60);
  check_whole(read_packed(xz(parts[0]) + Bytes(8, 0) + xz(parts[1]) + Bytes(4 << 20, 0), Compression::xz), 1);
  check_failed(read_packed(xz(parts[0]) + Bytes(6, 0) + xz(parts[1]), Compression::xz), 0, "is no such data");
}

TEST_CASE("frames that zstd skips are skipped, wherever they stand") {
  const Bytes skipped = craft::to_bytes("\x5a\x2a\x4d\x18\x03") + Bytes(3, 0) + craft::to_bytes("abc");
  const std::vector<Bytes> parts = pieces(1, 60);
  const Bytes packed = skipped + zstd(parts[0]) + skipped + zstd(parts[1]) + skipped;
  REQUIRE(compression_of(packed) == Compression::skippable);
  check_whole(read_packed(packed, Compression::skippable), 1);
}

TEST_CASE("streams that were compressed in different ways are read one after the other") {
  const std::vector<Bytes> parts = pieces(static_cast<std::uint32_t>(2 * std::size(every)), 3000);
  const Bytes skipped = craft::to_bytes("\x5a\x2a\x4d\x18\x03") + Bytes(3, 0) + craft::to_bytes("abc");
  Bytes packed = skipped + gzip(parts[0]);
  for (std::size_t i = 1; i < parts.size(); ++i)
    packed = packed + pack(every[i % std::size(every)], parts[i]) + skipped;
  const ReadResult result = read_packed(packed, Compression::skippable);
  check_whole(result, parts.size() - 1);
  check_noise(result, 3000);
}

TEST_CASE("a flipped octet is named as damage, after the packets of the streams before it") {
  for (const Compression compression : every) {
    const std::vector<Bytes> parts = pieces(2, 3000);
    const Bytes before = pack(compression, parts[0]) + pack(compression, parts[1]);
    Bytes packed = before + pack(compression, parts[2]);
    packed[before.size() + 1500] ^= 0x10;
    const ReadResult result = read_packed(packed, compression);
    CAPTURE(format_of(compression).name);
    CHECK(result.frames.size() >= 1);
    CHECK(result.frames.at(0).octets == noise(3000, 1));
    check_failed(result, result.frames.size(), "data is damaged at octet");
    if (compression == Compression::bzip2) // which gives a damaged block before it compares the checksum
      CHECK(contains(result.error, "offset 3040: a packet of"));
  }
}

TEST_CASE("a checksum that does not match is named") {
  // Where a checksum of the data stands, counted from the stream's end.
  const std::tuple<Compression, std::size_t, const char*> checksums[] = {
      {Compression::gzip, 8, "incorrect data check"},
      {Compression::bzip2, 2, "a checksum or the data under it is incorrect"},
      {Compression::xz, 12 + 16 + 8, "a checksum or the data under it is incorrect"},
      {Compression::zstd, 4, "Restored data doesn't match checksum"},
      {Compression::lz4, 4, "contentChecksum_invalid"}};
  for (const auto& [compression, from_end, why] : checksums) {
    Bytes packed = pack(compression, join(pieces(10, 60)));
    packed[packed.size() - from_end] ^= 0x10;
    check_failed(read_packed(packed, compression), 10, why);
  }
}

TEST_CASE("any flipped octet leaves packets or a failure, and no hang") {
  for (const Compression compression : every) {
    const Bytes packed = pack(compression, join(pieces(5, 60)));
    for (std::size_t i = 6; i < packed.size(); ++i) {
      Bytes flipped = packed;
      flipped[i] ^= 0xff;
      const ReadResult result = read_packed(flipped, compression);
      CHECK(result.status != Status::idle);
      if (result.status == Status::end)
        check_noise(result, 60);
    }
  }
}

TEST_CASE("the blocks of zstd before a damaged one are given") {
  Bytes packed = zstd(join(pieces(1000, 1000)));
  packed[packed.size() - 5] ^= 0x10; // in the last block
  packed[packed.size() - 1] ^= 0x10; // and the checksum, if the block bears it
  CHECK(read_packed(packed, Compression::zstd).frames.size() >= 850);
}

TEST_CASE("what was compressed to need much memory is refused with what to do") {
  const Bytes plain = join(pieces(1, 60));
  check_failed(read_packed(zstd(plain, 30), Compression::zstd), 0, "zstd --long=31 -dc FILE");
  Bytes packed = xz(plain);
  packed[12 + 4] = 38; // the dictionary's size in the block header: 2 GiB
  craft::store_u32(packed, 20, lzma_crc32(packed.data() + 12, 8, 0), std::endian::little);
  check_failed(read_packed(packed, Compression::xz), 0, "xz -dc FILE");
}
