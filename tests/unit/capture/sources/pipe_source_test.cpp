// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/pipe_source.hpp"
#include "tests/support/compress.hpp"
#include "tests/unit/capture/sources/read_support.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;
using Status = Source::Status;

namespace {

struct Pipe {
  Pipe() { REQUIRE(pipe(ends) == 0); }
  ~Pipe() { shut(); }
  void put(const Bytes& bytes, std::size_t from, std::size_t to) {
    while (from < to)
      from += static_cast<std::size_t>(write(ends[1], bytes.data() + from, to - from));
  }
  void shut() {
    if (ends[1] >= 0)
      close(ends[1]);
    ends[1] = -1;
  }
  int ends[2]; // the reading one belongs to the source
};

PipeSource source_of(const Pipe& pipe) {
  return {open_pipe_input(pipe.ends[0], "a pipe"), 0};
}

} // namespace

TEST_CASE("a pipe is idle before its first octets, between packets, and ends when it is closed") {
  const Bytes bytes =
      craft::PcapWriter().packet(1'000'000'000, Bytes(60, 1)).packet(2'000'000'000, Bytes(60, 2)).bytes();
  Pipe pipe;
  PipeSource source = source_of(pipe);
  Frame frames[4];
  CHECK(source.read(frames).status == Status::idle);
  pipe.put(bytes, 0, 10);
  CHECK(source.read(frames).status == Status::idle);
  pipe.put(bytes, 10, 24 + 76 + 5);
  const Source::Result first = source.read(frames);
  CHECK(first.status == Status::frames);
  CHECK(first.count == 1);
  CHECK(source.read(frames).status == Status::idle);
  pipe.put(bytes, 24 + 76 + 5, bytes.size());
  CHECK(source.read(frames).count == 1);
  CHECK(frames[0].data[0] == 2);
  pipe.shut();
  CHECK(source.read(frames).status == Status::end);
  CHECK(source.position_octets() == bytes.size());
}

TEST_CASE("frames from a pipe are whole across many refills of the buffer") {
  craft::PcapWriter writer;
  for (std::uint32_t i = 0; i < 3000; ++i)
    writer.packet(i, Bytes(i % 1500 + 1, static_cast<std::uint8_t>(i)));
  writer.packet(0, Bytes(262'144, 0xaa));
  Pipe pipe;
  PipeSource source = source_of(pipe);
  std::thread feeder([&] {
    pipe.put(writer.bytes(), 0, writer.bytes().size());
    pipe.shut();
  });
  const ReadResult all = read_all(source, 7);
  feeder.join();
  CHECK(all.status == Status::end);
  REQUIRE(all.frames.size() == 3001);
  for (std::uint32_t i = 0; i < 3000; ++i)
    REQUIRE(all.frames[i].octets == Bytes(i % 1500 + 1, static_cast<std::uint8_t>(i)));
  CHECK(all.frames[3000].octets.size() == 262'144);
}

TEST_CASE("a record larger than the buffer makes it grow") {
  craft::PcapWriter writer({.snap_length = 8'000'000});
  writer.packet(0, Bytes(5'000'000, 5)).packet(0, Bytes(60, 6));
  Pipe pipe;
  PipeSource source = source_of(pipe);
  std::thread feeder([&] {
    pipe.put(writer.bytes(), 0, writer.bytes().size());
    pipe.shut();
  });
  const ReadResult all = read_all(source);
  feeder.join();
  REQUIRE(all.frames.size() == 2);
  CHECK(all.frames[0].octets == Bytes(5'000'000, 5));
}

TEST_CASE("a compressed capture is read from a pipe, also in pieces") {
  const Bytes plain =
      craft::PcapWriter().packet(1'000'000'000, Bytes(60, 1)).packet(2'000'000'000, Bytes(60, 2)).bytes();
  for (const Bytes& packed :
       {craft::gzip(plain), craft::bzip2(plain), craft::xz(plain), craft::zstd(plain), craft::lz4(plain)}) {
    Pipe pipe;
    PipeSource source = source_of(pipe);
    Frame frames[4];
    pipe.put(packed, 0, 3);
    CHECK(source.read(frames).status == Status::idle);
    pipe.put(packed, 3, packed.size());
    pipe.shut();
    const ReadResult all = read_all(source);
    CHECK_MESSAGE(all.status == Status::end, all.error);
    CHECK(all.frames.size() == 2);
  }
}

TEST_CASE("what a live writer compresses is read as it is flushed, and a cut is named") {
  const Bytes plain = craft::PcapWriter().packet(1'000'000'000, Bytes(60, 1)).bytes();
  const Bytes more = craft::PcapWriter().packet(2'000'000'000, Bytes(60, 2)).bytes();
  const Bytes first = craft::zstd(plain), second = craft::zstd(Bytes(more.begin() + 24, more.end()));
  Pipe pipe;
  PipeSource source = source_of(pipe);
  Frame frames[4];
  pipe.put(first, 0, first.size());
  CHECK(source.read(frames).count == 1);
  CHECK(source.read(frames).status == Status::idle);
  pipe.put(second, 0, second.size() - 5);
  pipe.shut();
  const ReadResult all = read_all(source);
  CHECK(all.status == Status::failed);
  CHECK(contains(all.error, "is cut off"));
}

TEST_CASE("what was compressed twice is named") {
  Pipe pipe;
  PipeSource source = source_of(pipe);
  const Bytes packed = craft::gzip(craft::gzip(craft::PcapWriter().packet(0, Bytes(60, 1)).bytes()));
  pipe.put(packed, 0, packed.size());
  pipe.shut();
  CHECK(contains(read_all(source).error, "is compressed"));
}

TEST_CASE("a pipe that is closed too early, or carries no capture, fails by name") {
  for (const char* text : {"", "text", "some text that is no capture at all"}) {
    Pipe pipe;
    PipeSource source = source_of(pipe);
    const Bytes bytes = craft::to_bytes(text);
    pipe.put(bytes, 0, bytes.size());
    pipe.shut();
    const ReadResult all = read_all(source);
    CHECK(all.status == Status::failed);
    CHECK(contains(all.error, "a pipe: is "));
    CHECK(read_all(source).status == Status::failed);
  }
}
