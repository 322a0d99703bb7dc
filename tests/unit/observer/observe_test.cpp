// SPDX-License-Identifier: GPL-3.0-or-later
// The observer stage from file to file: whole, cut off and damaged inputs, and records of other kinds.
#include "observer/observer.hpp"
#include "tests/unit/common/stream/recorded_file.hpp"
#include "tests/unit/observer/record_maker.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

using Words = std::vector<std::uint64_t>;

Words words_of(const RecordHeader* record) {
  Words words(record_stride(record->length) / 8);
  std::memcpy(words.data(), record, record->length);
  return words;
}
Words tick(std::uint64_t second) {
  const TickRecord record{{sizeof record, RecordKind::tick, 0}, second};
  return words_of(&record.header);
}
Words loss(std::uint64_t packets) {
  const LossRecord record{{sizeof record, RecordKind::loss, 0}, packets, 0, 0};
  return words_of(&record.header);
}
Words end(EndCause cause) {
  const EndRecord record{{sizeof record, RecordKind::end, 0}, cause};
  return words_of(&record.header);
}
Words packet(std::uint16_t port, std::uint64_t second) {
  return Packet(ipv4(1, port), ipv4(2, 80), udp).at(second).words();
}

const StreamDescription packets_stream = stream_of(StreamKind::packets);

struct Observed {
  ObserverResult result;
  std::vector<FlowRecord> flows;
  bool ended = false;
  EndCause cause{};
};

/// What observe() makes of a packets file with these records, of which the last `cut` octets are missing.
Observed observe_records(const std::vector<Words>& records, std::uint64_t cut = 0) {
  const auto folder = std::filesystem::temp_directory_path() / ("observe-test-" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const Endpoint in{Endpoint::Kind::file, folder / "packets"}, out{Endpoint::Kind::file, folder / "flows"};
  {
    std::string octets;
    for (const Words& words : records)
      octets.append(reinterpret_cast<const char*>(words.data()), words.size() * 8);
    std::ofstream(in.name, std::ios::binary) << file_of(packets_stream, block_of(octets));
  }
  std::filesystem::resize_file(in.name, std::filesystem::file_size(in.name) - cut);

  Observed observed;
  const ChainSet chains = choose_chains<LibraryChains>(std::vector<std::string>{"basic"});
  const std::atomic<bool> stop{false};
  {
    Stage stage(StageKind::observer, {});
    RecordWriter writer = RecordWriter::open(out, chains.describe());
    RecordReader reader = RecordReader::open(in, StreamKind::packets);
    observed.result = observe(reader, writer, chains, {}, stop, stage);
  }
  RecordReader flows = RecordReader::open(out, StreamKind::flows);
  std::array<const RecordHeader*, 16> batch{};
  while (const std::size_t count = flows.peek(batch))
    for (std::size_t i = 0; i < count; ++i) {
      if (batch[i]->kind == RecordKind::row)
        observed.flows.push_back(reinterpret_cast<const FlowRecord&>(*batch[i]));
      observed.ended = batch[i]->kind == RecordKind::end;
      if (observed.ended)
        observed.cause = reinterpret_cast<const EndRecord&>(*batch[i]).cause;
    }
  std::filesystem::remove_all(folder);
  return observed;
}

/// "offset N" of the record that follows these.
std::string offset_after(const std::vector<Words>& records) {
  std::size_t offset = first_record(packets_stream);
  for (const Words& words : records)
    offset += words.size() * 8;
  return "offset " + std::to_string(offset);
}

} // namespace

TEST_CASE("a recorded file becomes flows, and its end is passed on") {
  for (const EndCause cause : {EndCause::complete, EndCause::interrupted, EndCause::failed}) {
    const auto observed = observe_records({packet(1, 100), loss(4), packet(2, 101), tick(131), end(cause)});
    CHECK(observed.result.complete);
    CHECK(observed.ended);
    CHECK(observed.cause == cause);
    REQUIRE(observed.flows.size() == 2);
    CHECK(observed.flows[0].ring_drops == 4);
    CHECK(observed.flows[0].end_reason == EndReason::idle_timeout);
    CHECK(observed.flows[1].ring_drops == 0);
  }
}

TEST_CASE("a file without its end record was cut off: its flows are there, and it is said") {
  const auto observed = observe_records({packet(1, 100), packet(2, 101)});
  CHECK_FALSE(observed.result.complete);
  CHECK(observed.result.problem.find("cut off") != std::string::npos);
  CHECK(observed.flows.size() == 2);
  CHECK(observed.cause == EndCause::failed);
}

TEST_CASE("a file cut off within a record gives the flows before it and names its offset") {
  const std::vector<Words> whole{packet(1, 100), packet(2, 101)};
  auto records = whole;
  records.push_back(packet(3, 102));
  for (const std::uint64_t cut : {1, 8, 57, 63}) {
    const auto observed = observe_records(records, cut);
    CHECK_FALSE(observed.result.complete);
    CHECK_MESSAGE(observed.result.problem.find(offset_after(whole)) != std::string::npos, observed.result.problem);
    CHECK(observed.flows.size() == 2);
    CHECK(observed.cause == EndCause::failed);
  }
}

TEST_CASE("a record of a foreign kind or a wrong length ends the stream with its offset named") {
  const std::vector<Words> before{packet(1, 100), tick(101)};
  auto wrong_tick = packet(9, 102), job = packet(9, 102), bad_version = packet(9, 102), short_packet = packet(9, 102);
  reinterpret_cast<RecordHeader*>(wrong_tick.data())->kind = RecordKind::tick;
  reinterpret_cast<RecordHeader*>(job.data())->kind = RecordKind::job;
  reinterpret_cast<PacketRecord*>(bad_version.data())->key.version = 5;
  ++reinterpret_cast<PacketRecord*>(short_packet.data())->blocks;
  for (const Words& bad : {wrong_tick, job, bad_version, short_packet}) {
    auto records = before;
    records.insert(records.end(), {bad, packet(2, 103), end(EndCause::complete)});
    const auto observed = observe_records(records);
    CHECK_FALSE(observed.result.complete);
    CHECK_MESSAGE(observed.result.problem.find(offset_after(before)) != std::string::npos, observed.result.problem);
    CHECK(observed.flows.size() == 1);
    CHECK(observed.cause == EndCause::failed);
  }
}

TEST_CASE("an observer plans with half of its share of what is left, and never with no flow at all") {
  constexpr std::uint64_t mib = 1 << 20;
  CHECK(plan_memory(800 * mib, 1).table_octets == 400 * mib);
  CHECK(plan_memory(800 * mib, 4).table_octets == 100 * mib);
  CHECK(plan_memory(80 * mib, 1).flow_memory_octets == 10 * mib);
  CHECK(plan_memory(80'000 * mib, 1).flow_memory_octets == 64 * mib);
  CHECK(flows_that_fit(100 * mib, 48) > 2 * flows_that_fit(100 * mib, 448));
  CHECK(flows_that_fit(0, 48) == 1);
}
