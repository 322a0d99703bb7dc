// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/merged_source.hpp"
#include "capture/sources/open_inputs.hpp"
#include "common/error.hpp"
#include "tests/support/compress.hpp"
#include "tests/unit/capture/sources/read_support.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <initializer_list>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using Status = Source::Status;

namespace {

struct Heard {
  std::vector<std::string> errors, warnings;
  MergedSource::Voices voices() {
    return {.error = [this](const std::string& what) { errors.push_back(what); },
            .warn = [this](const std::string& what) { warnings.push_back(what); }};
  }
};

/// A capture with a packet at each of these seconds, whose octets are `mark`.
Bytes capture(std::uint8_t mark, const std::vector<unsigned>& seconds, const craft::PcapWriter::Options& options = {}) {
  craft::PcapWriter writer(options);
  for (const unsigned second : seconds)
    writer.packet(std::int64_t{second} * 1'000'000'000, Bytes(60, mark));
  return writer.bytes();
}

std::string save(const Scratch& scratch, const std::string& name, const Bytes& bytes) {
  write_file(scratch.path(name), {bytes.begin(), bytes.end()});
  return scratch.path(name);
}

/// "a1 b2": marks with their seconds.
std::string order_of(const ReadResult& all) {
  std::string text;
  for (const ReadFrame& frame : all.frames)
    text += (text.empty() ? "" : " ") + std::string(1, static_cast<char>(frame.octets.front())) +
            std::to_string(frame.time_ns / 1'000'000'000);
  return text;
}

ReadResult merged(Heard& heard, const std::vector<std::string>& given, std::size_t batch = frame_batch,
                  const SourceOptions& options = {}) {
  const auto source = open_inputs(options, given, heard.voices());
  ReadResult all = read_all(*source, batch);
  CHECK(source->position_octets() <= source->size_octets());
  return all;
}

} // namespace

TEST_CASE("inputs are merged by time, equal times from the last input first, one that steps back in its own order") {
  const Scratch scratch;
  const auto a = save(scratch, "a", capture('a', {1, 4, 4, 9}));
  const auto b = save(scratch, "b", capture('b', {4, 2, 8}));
  const auto c = save(scratch, "c", capture('c', {4, 4}, {.link_type = craft::link_raw, .nanoseconds = true}));
  for (const std::size_t batch : {std::size_t{1}, std::size_t{3}, frame_batch}) {
    Heard heard;
    const ReadResult all = merged(heard, {a, b, c}, batch);
    CHECK(order_of(all) == "a1 c4 c4 b4 b2 a4 a4 b8 a9"); // as mergecap has it
    CHECK(all.status == Status::end);
    CHECK(all.frames[1].link == LinkType::raw_ip);
    CHECK(heard.errors.empty());
    CHECK(heard.warnings.empty());
    CHECK(order_of(merged(heard, {c, b, a}, batch)) == "a1 a4 a4 b4 b2 c4 c4 b8 a9");
  }
}

TEST_CASE("many inputs of many frames come out in order, whatever stays open") {
  const Scratch scratch;
  std::vector<std::string> names;
  for (unsigned i = 0; i < 40; ++i) {
    std::vector<unsigned> seconds;
    for (unsigned s = 0; s < 300; ++s)
      seconds.push_back(i % 2 == 0 ? i * 300 + s : i + s * 40); // one after the other, and through one another
    const Bytes bytes = capture('x', seconds);
    names.push_back(save(scratch, std::to_string(i), i % 3 == 0 ? craft::zstd(bytes) : bytes));
  }
  for (const std::size_t open_beforehand : {std::size_t{0}, std::size_t{5}, std::size_t{1000}}) {
    std::vector<MergedSource::Part> parts;
    for (const auto& name : names)
      parts.push_back({name, [name] { return open_source({.name = name}); }});
    Heard heard;
    MergedSource source(std::move(parts), heard.voices(), open_beforehand);
    CHECK((open_beforehand == 1000) == source.paths_to_come().empty());
    const ReadResult all = read_all(source);
    REQUIRE(all.frames.size() == 40 * 300);
    for (std::size_t i = 1; i < all.frames.size(); ++i)
      REQUIRE(all.frames[i - 1].time_ns <= all.frames[i].time_ns);
    CHECK(source.paths_to_come().empty());
  }
}

TEST_CASE("a damaged input is named with what is wrong, and the others are read to their ends") {
  const Scratch scratch;
  const auto a = save(scratch, "a", capture('a', {1, 3, 5}));
  Bytes cut = capture('b', {2, 4});
  cut.pop_back();
  const auto b = save(scratch, "b", cut);
  const auto empty = save(scratch, "empty", {}),
             text = save(scratch, "text", craft::to_bytes("no capture at all, but text"));
  Heard heard;
  const ReadResult all = merged(heard, {a, b, empty, scratch.path("missing"), text, scratch.path("no*")});
  CHECK(order_of(all) == "a1 b2 a3 a5");
  CHECK(all.status == Status::failed);
  CHECK(contains(all.error, "5 of 6 inputs could not be read to the end: "));
  REQUIRE(heard.errors.size() == 5);
  CHECK(contains(heard.errors[0], empty + ": is empty"));
  CHECK(contains(heard.errors[1], scratch.path("missing") + ": cannot be opened"));
  CHECK(contains(heard.errors[2], text + ": is neither pcap nor pcapng"));
  CHECK(contains(heard.errors[3], scratch.path("no*") + ": no file matches"));
  CHECK(contains(heard.errors[4], b + ": cut off in the middle of a packet: the record at offset 100"));
}

TEST_CASE("what cannot be read at all is an error at once, one input or several") {
  const Scratch scratch;
  Heard heard;
  CHECK_THROWS_WITH_AS(static_cast<void>(merged(heard, {scratch.path("*.pcap")})),
                       doctest::Contains("no file matches this pattern"), Error);
  CHECK_THROWS_AS(static_cast<void>(merged(heard, {scratch.path("a"), scratch.path("b")})), Error);
  CHECK(heard.errors.size() == 2);
  CHECK_THROWS_WITH_AS(static_cast<void>(merged(heard, {scratch.path()})), doctest::Contains("has no files"), Error);
  save(scratch, "notes.txt", craft::to_bytes("text"));
  CHECK_THROWS_WITH_AS(static_cast<void>(merged(heard, {scratch.path()})), doctest::Contains("there is no capture"),
                       Error);
}

TEST_CASE("of a folder its captures are read, and what is none is passed over and named") {
  const Scratch scratch;
  save(scratch, "b.pcap", capture('b', {2}));
  const Bytes a = capture('a', {1, 3});
  save(scratch, "a.pcap.lz4", craft::lz4(a));
  save(scratch, ".hidden", capture('h', {1}));
  save(scratch, "notes.txt", craft::to_bytes("these are notes"));
  save(scratch, "notes.gz", craft::gzip(craft::to_bytes("these are notes, and many of them")));
  save(scratch, "new.pcap", {});
  save(scratch, "header.pcap", capture('x', {}));
  std::filesystem::create_directory(scratch.path("sub"));
  REQUIRE(mkfifo(scratch.path("fifo").c_str(), 0600) == 0);
  Heard heard;
  const ReadResult all = merged(heard, {scratch.path()});
  CHECK(all.status == Status::end);
  CHECK(order_of(all) == "a1 b2 a3");
  REQUIRE(heard.warnings.size() == 2);
  CHECK(contains(heard.warnings[0], "/sub: a folder within"));
  for (const char* name : {"new.pcap", "notes.gz", "notes.txt"})
    CHECK(contains(heard.warnings[1], name));
  CHECK(heard.errors.empty());

  save(scratch, "cut.pcap", Bytes(a.begin(), a.begin() + 20));
  CHECK(merged(heard, {scratch.path()}).status == Status::failed);
  CHECK(contains(heard.errors.at(0), "cut.pcap: cut off in the file header"));
}

TEST_CASE("a pattern is what a shell makes of it, and a file of that very name goes before") {
  const Scratch scratch;
  save(scratch, "1.pcap", capture('1', {1}));
  save(scratch, "2.pcap", capture('2', {2}));
  save(scratch, "3.txt", craft::to_bytes("text"));
  Heard heard;
  CHECK(order_of(merged(heard, {scratch.path("?.pcap")})) == "11 22");
  CHECK(order_of(merged(heard, {scratch.path("[12].pcap")})) == "11 22");
  CHECK(heard.errors.empty());
  CHECK(merged(heard, {scratch.path("?.*")}).status == Status::failed); // as if it had been named
  save(scratch, "[12].pcap", capture('x', {7}));
  CHECK(order_of(merged(heard, {scratch.path("[12].pcap")})) == "x7");
}

TEST_CASE("a file that was named twice is read once, and that is said") {
  const Scratch scratch;
  const auto a = save(scratch, "a.pcap", capture('a', {1, 2}));
  REQUIRE(symlink(a.c_str(), scratch.path("link.pcap").c_str()) == 0);
  Heard heard;
  CHECK(order_of(merged(heard, {a, scratch.path("*.pcap"), scratch.path()})) == "a1 a2");
  CHECK(heard.warnings.size() == 4);
  CHECK(contains(heard.warnings[0], "a.pcap: was named twice, and is read once"));
}

TEST_CASE("a FIFO among files is waited for") {
  const Scratch scratch;
  const auto a = save(scratch, "a", capture('a', {1, 3}));
  const auto fifo = scratch.path("fifo");
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  const int writer = open(fifo.c_str(), O_RDWR);
  Heard heard;
  const auto source = open_inputs({}, {a, fifo}, heard.voices());
  std::vector<Frame> frames(frame_batch);
  CHECK(source->read(frames).status == Status::idle);
  const Bytes bytes = capture('f', {0, 2, 9});
  REQUIRE(write(writer, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  close(writer);
  CHECK(order_of(read_all(*source)) == "f0 a1 f2 a3 f9");
}

TEST_CASE("an interface is not read beside other inputs") {
  const Scratch scratch;
  const auto a = save(scratch, "a", capture('a', {1}));
  Heard heard;
  for (const char* live : {"lo", "ring:lo", "int:lo"})
    CHECK_THROWS_WITH_AS(static_cast<void>(merged(heard, {a, live})), doctest::Contains("is read live"), UsageError);
}

TEST_CASE("a snap length cuts each input, and what has an unsupported link type is counted over all") {
  const Scratch scratch;
  const Bytes radio = capture('r', {2}, {.link_type = 147});
  Bytes joined = capture('a', {1});
  joined.insert(joined.end(), radio.begin(), radio.end());
  const auto a = save(scratch, "a", joined), b = save(scratch, "b", joined);
  SourceOptions options;
  options.snap_length = 20;
  Heard heard;
  const ReadResult all = merged(heard, {a, b}, frame_batch, options);
  CHECK(all.frames.at(0).octets.size() == 20);
  CHECK(all.skipped == 2);
  CHECK(heard.warnings.size() == 2);
}

TEST_CASE("a file that is gone when its turn comes is named") {
  const Scratch scratch;
  std::vector<MergedSource::Part> parts;
  for (const auto& [name, seconds] : {std::pair{"a", std::vector<unsigned>{1, 5}}, {"b", {2, 4}}, {"c", {3}}}) {
    const auto path = save(scratch, name, capture(static_cast<std::uint8_t>(*name), seconds));
    parts.push_back({path, [path] { return open_source({.name = path}); }});
  }
  Heard heard;
  MergedSource source(std::move(parts), heard.voices(), 1);
  CHECK(source.paths_to_come() == std::vector{scratch.path("b"), scratch.path("c")});
  std::filesystem::remove(scratch.path("b"));
  const ReadResult all = read_all(source);
  CHECK(order_of(all) == "a1 c3 a5");
  CHECK(all.status == Status::failed);
  CHECK(contains(heard.errors.at(0), scratch.path("b") + ": cannot be opened"));
}

TEST_CASE("a file that is cut shorter while it is read is named, and the others go on") {
  const Scratch scratch;
  std::vector<unsigned> seconds(100'000);
  for (unsigned i = 0; i < seconds.size(); ++i)
    seconds[i] = i;
  const auto a = save(scratch, "a", capture('a', seconds)), b = save(scratch, "b", capture('b', seconds));
  Heard heard;
  const auto source = open_inputs({}, {a, b}, heard.voices());
  std::vector<Frame> frames(frame_batch);
  CHECK(source->read(frames).status == Status::frames);
  std::filesystem::resize_file(a, 1'000'000);
  const ReadResult all = read_all(*source);
  CHECK(all.status == Status::failed);
  CHECK(contains(heard.errors.at(0), a));
  CHECK(std::ranges::count_if(all.frames, [](const ReadFrame& f) { return !f.octets.empty() && f.octets[0] == 'b'; }) >=
        100'000 - 2 * 64);
}
