// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/open_source.hpp"
#include "common/error.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using Reader = SourceOptions::Reader;
using Status = Source::Status;

namespace {

/// A directory of its own, removed in the end.
struct Folder {
  Folder() {
    char name[] = "/tmp/orbweaver-test-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string save(const std::string& name, const Bytes& bytes) const {
    craft::save(path + "/" + name, bytes);
    return path + "/" + name;
  }
  std::string path;
};

std::string refusal(const std::string& name, Reader reader = Reader::automatic) {
  try {
    (void)open_source({.name = name, .reader = reader});
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

Bytes capture(std::uint32_t packets = 100) {
  craft::PcapWriter writer({.nanoseconds = true});
  for (std::uint32_t i = 0; i < packets; ++i)
    writer.packet(1'700'000'000'000'000'001 + i, Bytes(i % 90, static_cast<std::uint8_t>(i)), 1500);
  return writer.bytes();
}

ReadResult read_file(const std::string& name, Reader reader = Reader::automatic, std::uint32_t snap_length = 0) {
  const auto source = open_source({.name = name, .reader = reader, .snap_length = snap_length});
  return read_all(*source);
}

void check_same(const ReadResult& one, const ReadResult& other) {
  CHECK(one.status == other.status);
  REQUIRE(one.frames.size() == other.frames.size());
  for (std::size_t i = 0; i < one.frames.size(); ++i) {
    CHECK(one.frames[i].octets == other.frames[i].octets);
    CHECK(one.frames[i].time_ns == other.frames[i].time_ns);
    CHECK(one.frames[i].wire_length == other.frames[i].wire_length);
    CHECK(one.frames[i].link == other.frames[i].link);
  }
}

} // namespace

TEST_CASE("the mapped reader, libtrace and a decompressor give the same frames") {
  const Folder folder;
  const std::string path = folder.save("a.pcap", capture());
  REQUIRE(std::system(("cd " + folder.path + " && gzip -k a.pcap && bzip2 -k a.pcap && xz -k a.pcap").c_str()) == 0);
  const ReadResult mapped = read_file(path, Reader::mapped);
  CHECK(mapped.frames.size() == 100);
  CHECK(mapped.status == Status::end);
  check_same(mapped, read_file(path, Reader::libtrace));
  check_same(mapped, read_file("pcapfile:" + path));
  for (const char* suffix : {".gz", ".bz2", ".xz"}) {
    check_same(mapped, read_file(path + suffix));
    check_same(mapped, read_file(path + suffix, Reader::libtrace));
  }
  check_same(read_file(path, Reader::mapped, 20), read_file(path, Reader::libtrace, 20));
}

TEST_CASE("compressed files joined end to end are read to their last packet, zstd's too") {
  const Folder folder;
  const Bytes whole = capture();
  const auto half = whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2);
  folder.save("a", Bytes(whole.begin(), half));
  folder.save("b", Bytes(half, whole.end()));
  const ReadResult plain = read_file(folder.save("whole.pcap", whole));
  for (const char* program : {"gzip", "bzip2", "xz", "zstd"}) {
    if (std::system((std::string("command -v ") + program + " >/dev/null").c_str()) != 0)
      continue;
    REQUIRE(std::system(("cd " + folder.path + " && for i in a b; do " + program + " -c $i; done > joined").c_str()) ==
            0);
    check_same(plain, read_file(folder.path + "/joined"));
  }
}

TEST_CASE("a compressed pcapng file is read") {
  const Folder folder;
  const std::string path = folder.save(
      "a.pcapng", craft::PcapngWriter().section().interface({}).enhanced_packet(0, 0, Bytes(60, 1)).bytes());
  REQUIRE(std::system(("gzip " + path).c_str()) == 0);
  CHECK(read_file(path + ".gz").frames.size() == 1);
}

TEST_CASE("records of fixed length: TSH, and what DAG cards wrote before ERF") {
  const Folder folder;
  const Bytes ip(36, 0x45); // version 4, five words, and a total length of 0x4545
  Bytes tsh;
  craft::append_u32(tsh, 1'700'000'000);
  craft::append_u32(tsh, 7U << 24 | 250'000);
  tsh.insert(tsh.end(), ip.begin(), ip.end());
  const std::string cut = folder.save("a.tsh", [&] {
    Bytes two = tsh;
    two.insert(two.end(), tsh.begin(), tsh.end());
    two.resize(two.size() - 1);
    return two;
  }());
  for (const char* name : {"tsh:", "fr+:"}) {
    const ReadResult all = read_file(name + cut);
    REQUIRE(all.frames.size() == 1);
    CHECK(all.frames[0].octets == ip);
    CHECK(all.frames[0].time_ns == 1'700'000'000'250'000'000);
    CHECK(all.frames[0].wire_length == 0x4545);
    CHECK(all.frames[0].link == LinkType::raw_ip);
    CHECK(all.status == Status::failed);
    CHECK(contains(all.error, "after packet 1"));
  }

  const auto legacy = [](std::initializer_list<std::uint8_t> lengths) {
    Bytes record;
    craft::append_u64(record, (std::uint64_t{1'700'000'000} << 32) | 0x40000000, std::endian::little);
    record.insert(record.end(), lengths);
    record.resize(64, 1);
    return record;
  };
  const ReadResult ethernet = read_file("legacyeth:" + folder.save("a", legacy({46, 0})));
  REQUIRE(ethernet.frames.size() == 1);
  CHECK(ethernet.frames[0].octets == Bytes(46, 1));
  CHECK(ethernet.frames[0].time_ns == 1'700'000'000'250'000'000);
  CHECK(ethernet.frames[0].link == LinkType::ethernet);
  const ReadResult pos = read_file("legacypos:" + folder.save("b", legacy({0, 0, 0, 48, 0, 0, 5, 220})));
  REQUIRE(pos.frames.size() == 1);
  CHECK(pos.frames[0].octets == Bytes(48, 1));
  CHECK(pos.frames[0].wire_length == 1496);
  CHECK(pos.frames[0].link == LinkType::ppp_serial);
}

TEST_CASE("a capture cut off in a packet fails alike through both readers") {
  const Folder folder;
  Bytes bytes = capture();
  bytes.resize(bytes.size() - 3);
  const std::string path = folder.save("cut.pcap", bytes);
  check_same(read_file(path, Reader::mapped), read_file(path, Reader::libtrace));
  const ReadResult cut = read_file(path, Reader::libtrace);
  CHECK(cut.frames.size() == 99);
  CHECK(contains(cut.error, "cut.pcap: cut off in the middle of a packet"));
}

TEST_CASE("a record that would break libtrace ends reading before libtrace sees it") {
  const Folder folder;
  for (const std::uint32_t length : {65'520U, 65'521U, 65'535U, 65'536U, 262'144U}) {
    const std::string path =
        folder.save("large.pcap", craft::PcapWriter().packet(0, Bytes(60, 1)).packet(0, Bytes(length, 2)).bytes());
    const ReadResult all = read_file(path, Reader::libtrace);
    CHECK(all.frames.size() == (length == 65'520 ? 2 : 1));
    CHECK(all.status == (length == 65'520 ? Status::end : Status::failed));
    CHECK(read_file(path).frames.size() == 2);
  }
  const std::string wide = folder.save("wide.pcap", craft::PcapWriter().packet(0, Bytes(60, 1), 4'000'000'000).bytes());
  CHECK(read_file(wide, Reader::libtrace).frames.at(0).wire_length == 4'000'000'000);
}

TEST_CASE("a file that is cut shorter while it is read ends in a named failure") {
  const Folder folder;
  craft::PcapWriter writer;
  for (int i = 0; i < 10'000; ++i)
    writer.packet(i, Bytes(1000, 1));
  const std::string path = folder.save("shrinks.pcap", writer.bytes());
  const auto source = open_source({.name = path});
  Frame frames[frame_batch];
  REQUIRE(source->read(frames).status == Status::frames);
  std::filesystem::resize_file(path, 4 << 20);
  const ReadResult all = read_all(*source);
  CHECK(all.status == Status::failed);
  CHECK(contains(all.error, "was cut to 4194304 octets while it was read"));
}

TEST_CASE("octets that were shown already and are cut away give no frames, in whichever page the cut lies") {
  const Folder folder;
  craft::PcapWriter writer;
  for (int i = 0; i < 3'000; ++i)
    writer.packet(i, Bytes(1000, 1));
  for (const std::uintmax_t size : {1'000'000U, 1'048'576U, 24U + 1016U * 640U}) {
    const std::string path = folder.save("shown.pcap", writer.bytes());
    const auto source = open_source({.name = path});
    Frame frames[frame_batch];
    REQUIRE(source->read(frames).status == Status::frames);
    std::filesystem::resize_file(path, size);
    const ReadResult all = read_all(*source);
    CHECK(all.status == Status::failed);
    CHECK(contains(all.error, "was cut to " + std::to_string(size) + " octets while it was read"));
    CHECK(all.frames.size() + 2 * frame_batch >= size / 1016);
    CHECK(all.frames.size() + frame_batch <= size / 1016);
    for (const ReadFrame& frame : all.frames)
      CHECK(frame.octets == Bytes(1000, 1));
  }
}

TEST_CASE("what cannot be opened is refused with what to do") {
  const Folder folder;
  CHECK(contains(refusal(folder.path), "is a directory"));
  CHECK(contains(refusal(folder.path + "/nothing.pcap"), "nothing.pcap: cannot be opened: No such file"));
  CHECK(contains(refusal("nosuch0"), "no such interface; there are: "));
  CHECK(contains(refusal("ring:nosuch0"), "there is no interface nosuch0; there are: "));
  CHECK(contains(refusal("frob:x"), "the format frob is not known"));
  CHECK(contains(refusal("atmhdr:x"), "libtrace's format atmhdr is not read: it has ATM cells"));
  CHECK(contains(refusal("pcapfile:/nonexistent"), "/nonexistent: cannot be opened"));
  CHECK(contains(refusal(folder.save("empty.pcap", {})), "is empty"));
  CHECK(contains(refusal(folder.save("text", craft::to_bytes("hello, this is only text"))), "neither pcap nor pcapng"));
  const std::string pcapng = folder.save("a.pcapng", craft::PcapngWriter().section().interface({}).bytes());
  CHECK(contains(refusal(pcapng, Reader::libtrace), "is pcapng, which libtrace does not read"));
  const std::string zstd = folder.save("a.zst", craft::to_bytes("\x28\xb5\x2f\xfd and the rest"));
  CHECK(contains(refusal(zstd, Reader::libtrace), "is compressed by zstd, which libtrace does not read"));
  CHECK_THROWS_AS((void)open_source({.name = "int:lo", .reader = Reader::mapped}), UsageError);
  CHECK_THROWS_AS((void)open_source({.name = ""}), UsageError);
}

TEST_CASE("a FIFO is read as a pipe") {
  const Folder folder;
  const std::string path = folder.path + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const std::string file = folder.save("a.pcap", capture());
  REQUIRE(std::system(("cat " + file + " > " + path + " &").c_str()) == 0);
  check_same(read_file(path), read_file(file));
}
