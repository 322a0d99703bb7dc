// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/rotation.hpp"

#include "common/process/files/output_target.hpp"
#include "common/stream/record_reader.hpp"
#include "merger/merger.hpp"
#include "merger/sinks/make_sink.hpp"
#include "tests/unit/common/scratch.hpp"
#include "tests/unit/merger/flow_stream.hpp"

#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

const std::atomic<bool> go_on{false};

void write_tick(RecordWriter& writer, std::uint64_t second) {
  const TickRecord tick{{}, second};
  REQUIRE(writer.write(&tick, sizeof tick, RecordKind::tick));
}

/// A stream as text: "t5" the clock reads 5, "l3" three packets were lost, a number alone is a flow.
void write_stream(const std::string& path, const std::vector<std::string>& records) {
  auto writer = RecordWriter::open({Endpoint::Kind::file, path}, number_table().stream());
  for (const auto& text : records) {
    if (text[0] == 't') {
      write_tick(writer, std::stoull(text.substr(1)));
    } else if (text[0] == 'l') {
      const LossRecord loss{{}, std::stoull(text.substr(1)), 1, 2};
      REQUIRE(writer.write(&loss, sizeof loss, RecordKind::loss));
    } else {
      write_row(writer, number_record(std::stoull(text)));
    }
  }
  writer.finish(EndCause::complete, go_on);
}

/// The files of a merge by name, and the manifest.
struct Files {
  std::map<std::string, std::string> files;
  std::string manifest;
  bool complete = false;
};

Files merge(const std::vector<std::vector<std::string>>& streams, FileBound every) {
  const Scratch scratch;
  std::vector<RecordReader> readers;
  for (const auto& records : streams) {
    const auto path = scratch.path("stream" + std::to_string(readers.size()));
    write_stream(path, records);
    readers.push_back(RecordReader::open({Endpoint::Kind::file, path}, StreamKind::flows));
  }
  const Scratch out;
  const auto pattern = out.path("f-%s.ndjson");
  FileSeries series(rotated_names(pattern), {}, {});
  OutputPolicy policy;
  policy.series = &series;
  std::atomic<bool> asked{false};
  Rotation rotation(every, readers.size(), series, asked, {});
  auto sink = make_sink(parse_output(pattern, {}), policy);
  Merger merger(
      std::move(readers), *sink, true, [](auto, auto) {}, &rotation);
  Files files;
  files.complete = merger.run(go_on);
  sink.reset(); // a file made for nothing goes with it
  for (const auto& entry : std::filesystem::directory_iterator(out.path()))
    files.files[entry.path().filename().string()] = read_file(entry.path().string());
  files.manifest = files.files["f.manifest"];
  files.files.erase("f.manifest");
  return files;
}

std::string flow(std::uint64_t number) {
  return "{\"n\":" + std::to_string(number) + "}\n";
}

/// A rotation without files.
struct Schedule {
  Scratch scratch;
  FileSeries series{rotated_names(scratch.path("%s")), {}, {}};
  std::atomic<bool> asked{false};
  Rotation rotation;
  explicit Schedule(FileBound every, std::size_t streams = 1) : rotation(every, streams, series, asked, {}) {}

  void at(std::uint64_t second) { rotation.at(0, second); }
};

} // namespace

TEST_CASE("a file ends where the clock's second is a multiple of its time") {
  Schedule schedule({.seconds = 300});
  auto& rotation = schedule.rotation;
  CHECK(rotation.boundary_s() == 0); // so that every stream is held at its first tick
  CHECK_FALSE(rotation.last(false));
  CHECK_FALSE(rotation.advance(1001));
  CHECK(rotation.state().begin_s == 1000);
  CHECK(rotation.boundary_s() == 1200);
  schedule.at(1200);
  const auto span = rotation.advance(1201);
  REQUIRE(span);
  CHECK(span->begin_s == 1000);
  CHECK(span->end_s == 1200);
  CHECK(span->cause == FileEnd::time);
  CHECK(rotation.boundary_s() == 1500);
  schedule.at(1333);
  CHECK(rotation.last(true)->begin_s == 1200);
  CHECK(rotation.last(true)->end_s == 1333);
  CHECK(rotation.last(true)->cause == FileEnd::end);
}

TEST_CASE("a clock that leaps leaves one file before the last boundary that it leaps over") {
  Schedule schedule({.seconds = 300});
  schedule.rotation.advance(1001);
  const auto span = schedule.rotation.advance(5000);
  CHECK(span->end_s == 4800);
  CHECK(schedule.rotation.boundary_s() == 5100);
}

TEST_CASE("a file of its size ends with the second that is under way, and so does one that is asked to") {
  Schedule schedule({.octets = 1000}, 2);
  auto& rotation = schedule.rotation;
  CHECK_FALSE(rotation.wants_next(5000)); // there is no clock yet
  rotation.advance(101);
  CHECK(rotation.boundary_s() == Rotation::never);
  rotation.at(0, 110);
  rotation.at(1, 112);
  CHECK_FALSE(rotation.wants_next(999));
  CHECK(rotation.wants_next(1000));
  CHECK(rotation.boundary_s() == 112);
  CHECK_FALSE(rotation.wants_next(2000)); // it is on its way
  auto span = rotation.advance(113);
  CHECK(span->begin_s == 100);
  CHECK(span->end_s == 112);
  CHECK(span->cause == FileEnd::size);
  schedule.asked = true;
  rotation.at(0, 120);
  rotation.at(1, 120);
  CHECK(rotation.wants_next(0));
  CHECK_FALSE(schedule.asked);
  span = rotation.advance(121);
  CHECK(span->begin_s == 112);
  CHECK(span->end_s == 120);
  CHECK(span->cause == FileEnd::signal);
}

TEST_CASE("every flow is in the file of the second in which it left, also where a stream is far ahead") {
  std::vector<std::string> ahead{"t1001"}, behind{"t1001"};
  for (std::uint64_t n = 0; n < 5000; ++n)
    ahead.push_back(std::to_string(n));
  for (const auto* text : {"t1100", "10000", "t1101", "20000", "t1201", "30000", "t1260"})
    ahead.emplace_back(text);
  for (const auto* text :
       {"1", "t1050", "2", "t1100", "3", "t1101", "4", "l7", "t1200", "5", "l0", "t1201", "t1260", "6"})
    behind.emplace_back(text);
  const auto files = merge({ahead, behind}, {.seconds = 100});
  CHECK(files.complete);
  REQUIRE(files.files.size() == 3);
  const auto& first = files.files.at("f-1000.ndjson");
  CHECK(std::count(first.begin(), first.end(), '\n') == 5004);
  CHECK(first.find(flow(10000)) != std::string::npos);
  CHECK(first.find(flow(20000)) == std::string::npos);
  const auto& second = files.files.at("f-1100.ndjson");
  CHECK((second == flow(20000) + flow(4) + flow(5) || second == flow(4) + flow(5) + flow(20000)));
  const auto& third = files.files.at("f-1200.ndjson");
  CHECK((third == flow(30000) + flow(6) || third == flow(6) + flow(30000)));
  for (const auto* part :
       {R"("begin_s":1000,"end_s":1100)", R"("begin_s":1100,"end_s":1200)", R"("begin_s":1200,"end_s":1260)",
        R"({"flows":2,"events":0,"losses":2,"lost_packets":7})", R"("cause":"end","flows":2,)"})
    CHECK(files.manifest.find(part) != std::string::npos);
}

TEST_CASE("a stream that ends early holds up nobody, and one that begins later does not lose its first flows") {
  const auto files = merge({{"t1001", "1"}, {"t1301", "2", "t1401", "3"}, {}}, {.seconds = 100});
  CHECK(files.complete);
  REQUIRE(files.files.size() == 3);
  CHECK(files.files.at("f-1000.ndjson") == flow(1));
  CHECK(files.files.at("f-1300.ndjson") == flow(2));
  CHECK(files.files.at("f-1400.ndjson") == flow(3));
}

TEST_CASE("a clock that no capture has ends nothing and spins nowhere") {
  const auto files =
      merge({{"t1001", "1", "t18446744073709551615", "2", "t5", "3", "t18446744073709551615", "4"}}, {.seconds = 100});
  CHECK(files.complete);
  std::string all;
  for (const auto& [name, text] : files.files)
    all += text;
  CHECK(std::count(all.begin(), all.end(), '\n') == 4);
  CHECK(files.files.size() <= 3);
}

TEST_CASE("streams without a flow and a clock leave no file") {
  const auto files = merge({{}, {}}, {.seconds = 100});
  CHECK(files.complete);
  CHECK(files.files.empty());
  CHECK(files.manifest.empty());
}

TEST_CASE("flows without a clock are in one file that says so") {
  const auto files = merge({{"1", "2"}}, {.seconds = 100});
  CHECK(files.complete);
  REQUIRE(files.files.size() == 1);
  CHECK(files.files.begin()->second == flow(1) + flow(2));
  CHECK(files.manifest.find("\"flows\":2") != std::string::npos);
}
