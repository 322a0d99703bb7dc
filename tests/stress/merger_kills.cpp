// SPDX-License-Identifier: GPL-3.0-or-later
// Kills a merger at any moment while it has all the flows that it can take, again and again, and lets another one
// follow. At the end every flow is in the file once. Flows come from a process of their own, over two rings.
#include "common/error.hpp"
#include "common/process/stage.hpp"
#include "common/stream/flow_record.hpp"
#include "common/stream/record_writer.hpp"
#include "merger/merger.hpp"
#include "merger/sinks/make_sink.hpp"
#include "tests/stress/kills.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Options : KillOptions {
  std::string format = "ndjson";
};

struct Shared {
  std::atomic<bool> enough;
  std::array<std::atomic<std::uint64_t>, 2> produced;
};

const std::atomic<bool> never{false};

struct NumberedRow {
  FlowRecord flow;
  std::uint64_t number;
};

StreamDescription numbers() {
  StreamDescription stream = stream_of(StreamKind::flows);
  TableDescription table;
  table.name = "flows";
  table.help = "numbers";
  table.record_octets = sizeof(NumberedRow);
  FieldDescription field;
  field.name = "number";
  field.type = field_type_of<std::uint64_t>();
  field.offset = offsetof(NumberedRow, number);
  field.help = "which row it is";
  table.fields.push_back(field);
  stream.tables.push_back(table);
  return stream;
}

[[noreturn]] void produce(const std::array<Endpoint, 2>& rings, Shared& shared) {
  EndpointOptions options;
  options.make_ring = false;
  std::array writers{RecordWriter::open(rings[0], numbers(), options),
                     RecordWriter::open(rings[1], numbers(), options)};
  std::array<std::uint64_t, 2> count{};
  for (std::uint64_t turn = 0; !shared.enough.load(std::memory_order_relaxed); ++turn) {
    const std::size_t ring = turn * 0x9E37'79B9'7F4A'7C15 >> 63;
    NumberedRow row{};
    row.flow.header = {sizeof row, RecordKind::row, 0};
    row.number = 2 * count[ring]++ + ring;
    while (!writers[ring].write(&row, sizeof row, RecordKind::row))
      if (writers[ring].wait_for_room(sizeof row, never) != Room::available)
        _exit(10);
  }
  for (std::size_t ring = 0; ring < 2; ++ring) {
    shared.produced[ring] = count[ring];
    if (!writers[ring].finish(EndCause::complete, never))
      _exit(11);
  }
  _exit(0);
}

[[noreturn]] void merge_once(const std::array<Endpoint, 2>& rings, const OutputTarget& target, int kept_fd,
                             bool takes_over) {
  try {
    EndpointOptions endpoints;
    endpoints.takes_over = takes_over;
    Checkpoints checkpoints(kept_fd, takes_over ? SIGKILL : -1);
    OutputPolicy policy;
    policy.appears = Appears::growing;
    std::size_t file = 0;
    if (checkpoints.left())
      policy.resume = [&] { return &checkpoints.left()->files[file++]; };
    const auto sink = make_sink(target, policy);
    std::vector<RecordReader> readers;
    for (const auto& ring : rings)
      readers.push_back(RecordReader::open(ring, StreamKind::flows, endpoints));
    Merger merger(
        std::move(readers), *sink, false, [](auto, std::uint64_t) {}, nullptr, &checkpoints);
    const bool complete = merger.run(never);
    for (const auto& problem : merger.problems())
      std::fprintf(stderr, "%s\n", problem.c_str());
    _exit(complete ? 0 : 12);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(13);
  }
}

/// Whether each number is in the file once.
bool check(const std::string& path, const Shared& shared) {
  std::ifstream file(path);
  std::string line;
  std::array<std::vector<bool>, 2> seen{std::vector<bool>(shared.produced[0]), std::vector<bool>(shared.produced[1])};
  std::uint64_t lines = 0, bad = 0;
  while (std::getline(file, line)) {
    const auto digits = line.find_first_of("0123456789");
    if (digits == std::string::npos)
      continue; // the heading of CSV
    ++lines;
    const auto number = std::stoull(line.substr(digits));
    auto& of_ring = seen[number % 2];
    if (number / 2 >= of_ring.size() || of_ring[number / 2])
      ++bad;
    else
      of_ring[number / 2] = true;
  }
  const std::uint64_t produced = shared.produced[0] + shared.produced[1];
  std::printf("%llu rows, %llu lines, %llu of them twice or none\n", static_cast<unsigned long long>(produced),
              static_cast<unsigned long long>(lines), static_cast<unsigned long long>(bad));
  return lines == produced && bad == 0;
}

int run(const Options& options) {
  auto& shared = shared_by_all<Shared>();
  const auto name = "merger-kills-" + std::to_string(getpid());
  const std::array<Endpoint, 2> rings{Endpoint{Endpoint::Kind::ring, name + ".0"},
                                      Endpoint{Endpoint::Kind::ring, name + ".1"}};
  const std::array made{Ring::create(rings[0].segment_name(), 1 << 20, false, true),
                        Ring::create(rings[1].segment_name(), 4 << 20, false, true)};
  const auto path = (std::filesystem::temp_directory_path() / (name + "." + options.format)).string();
  const auto target = parse_output(path, options.format);
  const auto kept_fd = make_kept_memory("merger-kills");
  const pid_t producer = in_process([&] { produce(rings, shared); });
  bool good = kill_again_and_again(options, shared.enough,
                                   [&](bool follows) { merge_once(rings, target, kept_fd.get(), follows); });
  if (!good)
    kill(producer, SIGKILL);
  good = status_of(producer) == 0 && good;
  for (const auto& ring : rings)
    Segment::remove(ring.segment_name());
  good = good && check(path, shared);
  std::filesystem::remove(path);
  return good ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  Options options{{.kills = 200}};
  CommandLine app("Kills mergers at work and looks whether a flow was lost, or written twice.", "stress-merger-kills");
  add_kill_options(app, options);
  app.add_option("--format", options.format, "Of the output");
  return run_program(app, argc, argv, [&] { return run(options); });
}
