// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/run.hpp"

#include "common/error.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/records/packet_record.hpp"
#include "tests/support/capture_writer.hpp"
#include "tests/support/packet_builder.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>

using namespace orbweaver;
using namespace orbweaver::test;
using craft::Bytes;

namespace {

/// A capture of so many datagrams, and where its packets go.
struct Program {
  explicit Program(unsigned packets) {
    craft::PcapWriter writer;
    for (unsigned i = 0; i < packets; ++i) {
      const Bytes frame = craft::ethernet() / craft::ipv4("10.0.0.1", "10.0.0.2") / craft::udp(1000, 53);
      writer.packet(1'600'000'000'000'000'000 + i, frame);
    }
    content.assign(writer.bytes().begin(), writer.bytes().end());
    arguments.inputs = {scratch.path("x.pcap")};
    arguments.outputs = {"file:" + scratch.path("out")};
  }

  int run() {
    write_file(arguments.inputs.front(), content);
    arguments.stage.caged = false; // there would be no way out for the tests behind it
    return run_capture(arguments);
  }

  /// Packets that were written, and how the stream ended.
  std::pair<std::size_t, EndCause> written() const {
    RecordReader reader = RecordReader::open({Endpoint::Kind::file, scratch.path("out")}, StreamKind::packets);
    std::pair<std::size_t, EndCause> result{};
    for (const RecordHeader* record[1]; reader.peek(record) == 1;) {
      result.first += record[0]->kind == RecordKind::packet;
      if (record[0]->kind == RecordKind::end)
        result.second = reinterpret_cast<const EndRecord*>(record[0])->cause;
    }
    return result;
  }

  Scratch scratch;
  std::string content;
  CaptureArguments arguments;
};

} // namespace

TEST_CASE("a capture goes to its end, or to the count") {
  Program program(10);
  CHECK(program.run() == exit_done);
  CHECK(program.written() == std::pair(std::size_t{10}, EndCause::complete));
  program.arguments.count = 3;
  CHECK(program.run() == exit_done);
  CHECK(program.written().first == 3);
}

TEST_CASE("the stream says what its packets were taken for") {
  Program program(1);
  program.arguments.needs = "dns";
  CHECK(program.run() == exit_done);
  const auto reader = RecordReader::open({Endpoint::Kind::file, program.scratch.path("out")}, StreamKind::packets);
  CHECK(reader.stream().needs == Need::payload("dns"));
}

TEST_CASE("a capture that is cut off fails, with the packets that came before") {
  Program program(10);
  program.content.resize(program.content.size() - 5);
  CHECK(program.run() == exit_failed);
  CHECK(program.written() == std::pair(std::size_t{9}, EndCause::failed));
}

TEST_CASE("a filter that has no meaning for the link type fails the run") {
  Program program(2);
  program.arguments.filter = "inbound";
  CHECK(program.run() == exit_failed);
  CHECK(program.written().first == 0);
  program.arguments.filter = "udp port 53";
  CHECK(program.run() == exit_done);
  CHECK(program.written().first == 2);
}

TEST_CASE("what cannot be is said before the output is emptied") {
  Program program(1);
  write_file(program.scratch.path("out"), "kept");
  program.arguments.reader = "mine";
  CHECK_THROWS_AS(program.run(), UsageError);
  program.arguments.reader = "auto";
  program.arguments.filter = "nonsense";
  CHECK_THROWS_AS(program.run(), UsageError);
  program.arguments.filter.clear();
  program.arguments.inputs = {program.scratch.path()};
  CHECK_THROWS_AS(run_capture(program.arguments), Error);
  CHECK(read_file(program.scratch.path("out")) == "kept");
}
