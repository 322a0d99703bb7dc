// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/follow_source.hpp"
#include "capture/sources/open_inputs.hpp"
#include "common/error.hpp"
#include "tests/support/compress.hpp"
#include "tests/unit/capture/sources/read_support.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using Status = Source::Status;
namespace fs = std::filesystem;

namespace {

/// A capture with a packet at each of these seconds.
Bytes capture(const std::vector<unsigned>& seconds) {
  craft::PcapWriter writer;
  for (const unsigned second : seconds)
    writer.packet(std::int64_t{second} * 1'000'000'000, Bytes(60, 1));
  return writer.bytes();
}

struct Followed {
  Scratch scratch;
  std::vector<std::string> errors, warnings;

  std::unique_ptr<Source> open(const std::string& name) {
    const MergedSource::Voices voices{.error = [this](const std::string& what) { errors.push_back(what); },
                                      .warn = [this](const std::string& what) { warnings.push_back(what); }};
    return std::make_unique<FollowSource>(scratch.path(name), 0, voices, FollowSource::Waits{1, 2});
  }
  void write(const std::string& name, const Bytes& bytes) {
    write_file(scratch.path(name), {bytes.begin(), bytes.end()});
  }
  /// Behind what is there.
  void append(const std::string& name, const Bytes& bytes, std::size_t from, std::size_t to) {
    std::ofstream(scratch.path(name), std::ios::binary | std::ios::app)
        .write(reinterpret_cast<const char*>(bytes.data()) + from, static_cast<std::streamsize>(to - from));
  }
};

/// The seconds of what comes before it is idle for long.
std::string seconds_of(Source& source) {
  const ReadResult all = read_all(source);
  CHECK(all.status == Status::idle);
  std::string text;
  for (const ReadFrame& frame : all.frames)
    text += (text.empty() ? "" : " ") + std::to_string(frame.time_ns / 1'000'000'000);
  return text;
}

} // namespace

TEST_CASE("a file is read on as it grows, also within a packet or its header") {
  Followed followed;
  const Bytes whole = capture({1, 2, 3});
  followed.append("a.pcap", whole, 0, 24 + 76 + 7);
  const auto source = followed.open("a.pcap");
  CHECK(seconds_of(*source) == "1");
  followed.append("a.pcap", whole, 24 + 76 + 7, 24 + 2 * 76);
  CHECK(seconds_of(*source) == "2");
  followed.append("a.pcap", whole, 24 + 2 * 76, whole.size());
  CHECK(seconds_of(*source) == "3");
  CHECK(source->failures().empty());
  CHECK(followed.errors.empty());
}

TEST_CASE("a file that is not there yet is waited for, as is its first packet") {
  Followed followed;
  const auto source = followed.open("a.pcap");
  CHECK(followed.warnings.size() == 1);
  CHECK(seconds_of(*source).empty());
  const Bytes whole = capture({1});
  followed.append("a.pcap", whole, 0, 24);
  CHECK(seconds_of(*source).empty());
  followed.append("a.pcap", whole, 24, whole.size());
  CHECK(seconds_of(*source) == "1");
  CHECK_THROWS_AS(static_cast<void>(followed.open("missing/a.pcap")), Error);
}

TEST_CASE("numbered files as tcpdump -C and -W name them, in the order of their packets, round and round") {
  Followed followed;
  followed.write("a.pcap2", capture({5, 6}));
  followed.write("a.pcap0", capture({1, 2}));
  followed.write("a.pcap1", capture({3, 4}));
  followed.write("b.pcap0", capture({0}));
  followed.write("a.pcap.txt", capture({0}));
  for (const char* name : {"a.pcap", "a.pcap1"})
    CHECK(seconds_of(*followed.open(name)) == "1 2 3 4 5 6");
  const auto source = followed.open("a.pcap");
  CHECK(seconds_of(*source) == "1 2 3 4 5 6");
  const Bytes more = capture({5, 6, 7});
  followed.append("a.pcap2", more, more.size() - 76, more.size());
  followed.write("a.pcap0", capture({8, 9})); // the ring begins again
  CHECK(seconds_of(*source) == "7 8 9");
  followed.write("a.pcap1", capture({10}));
  CHECK(seconds_of(*source) == "10");
  CHECK(followed.errors.empty());
}

TEST_CASE("what is given the name of a file that was renamed goes on behind it") {
  Followed followed;
  followed.write("a.pcap", capture({1}));
  const auto source = followed.open("a.pcap");
  CHECK(seconds_of(*source) == "1");
  const Bytes old = capture({1, 2});
  followed.append("a.pcap", old, old.size() - 76, old.size());
  fs::rename(followed.scratch.path("a.pcap"), followed.scratch.path("a.pcap.1"));
  followed.write("a.pcap", capture({3}));
  CHECK(seconds_of(*source) == "2 3");
}

TEST_CASE("a file that is begun anew in its place is read again from its beginning, shorter or longer") {
  Followed followed;
  followed.write("a.pcap", capture({1, 2, 3}));
  const auto source = followed.open("a.pcap");
  CHECK(seconds_of(*source) == "1 2 3");
  followed.write("a.pcap", capture({4}));
  CHECK(seconds_of(*source) == "4");
  followed.write("a.pcap", capture({5, 6, 7, 8}));
  CHECK(seconds_of(*source) == "5 6 7 8");
  CHECK(followed.errors.empty());
}

TEST_CASE("a pattern and a folder follow what comes into it, as tcpdump -G and dumpcap -b write") {
  Followed followed;
  followed.write("cap_00001_20240101000000.pcapng", capture({1}));
  followed.write("notes.txt", craft::to_bytes("no capture"));
  const auto by_pattern = followed.open("cap_*.pcapng"), by_folder = followed.open(""),
             by_stem = followed.open("cap.pcapng"), by_name = followed.open("cap_00001_20240101000000.pcapng");
  for (Source* source : {by_pattern.get(), by_folder.get(), by_stem.get(), by_name.get()})
    CHECK(seconds_of(*source) == "1");
  followed.write("cap_00002_20240101000100.pcapng", capture({2}));
  followed.write("cap_00002.pcapng.txt", capture({2}));
  followed.write("cap_20240101000200_00003.pcapng", craft::zstd(capture({3})));
  for (Source* source : {by_pattern.get(), by_folder.get(), by_stem.get(), by_name.get()})
    CHECK(seconds_of(*source) == "2 3");
}

TEST_CASE("a copy of a file that was read, compressed behind it, is not read again") {
  Followed followed;
  followed.write("a1.pcap", capture({1}));
  const auto source = followed.open("a*");
  CHECK(seconds_of(*source) == "1");
  followed.write("a1.pcap.gz", craft::gzip(capture({1})));
  fs::remove(followed.scratch.path("a1.pcap"));
  followed.write("a2.pcap", capture({2}));
  CHECK(seconds_of(*source) == "2");
}

TEST_CASE("of a series, what is cut off is named, and the rest goes on") {
  Followed followed;
  Bytes cut = capture({1, 2});
  cut.pop_back();
  followed.write("a.pcap0", cut);
  followed.write("a.pcap1", capture({3}));
  const auto source = followed.open("a.pcap");
  CHECK(seconds_of(*source) == "1 3");
  REQUIRE(followed.errors.size() == 1);
  CHECK(contains(followed.errors[0], "a.pcap0: cut off in the middle of a packet"));
  CHECK(contains(source->failures(), "1 of the files followed could not be read to the end"));
}

TEST_CASE("what is no file or series cannot be followed") {
  SourceOptions options;
  options.follow = true;
  for (const auto& given :
       std::vector<std::vector<std::string>>{{"a", "b"}, {"-"}, {"lo"}, {"/dev/null"}, {"ring:lo"}, {"erf:missing"}})
    CHECK_THROWS_AS(static_cast<void>(open_inputs(options, given, {})), UsageError);
}
