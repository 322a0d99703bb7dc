// SPDX-License-Identifier: GPL-3.0-or-later
// Kills a merger at any moment while it has all the flows that it can take, again and again, and lets another one
// follow. At the end every flow is in the file once, or in one of those that there are one after another, which the
// manifest lists as they are. Flows come from a process of their own, over two rings.
#include "common/error.hpp"
#include "common/process/stage.hpp"
#include "common/stream/record_writer.hpp"
#include "common/stream/records/flow_record.hpp"
#include "merger/merger.hpp"
#include "merger/sinks/make_sink.hpp"
#include "tests/stress/kills.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Options : KillOptions {
  std::string format;
  std::string rotate; ///< empty: into one file
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
  constexpr std::uint64_t rows_a_second = 20'000;
  for (std::uint64_t turn = 0; !shared.enough.load(std::memory_order_relaxed); ++turn) {
    const std::size_t ring = turn * 0x9E37'79B9'7F4A'7C15 >> 63;
    NumberedRow row{};
    row.flow.header = {sizeof row, RecordKind::row, 0};
    if (const TickRecord tick{{}, 1000 + count[ring] / rows_a_second}; count[ring] % rows_a_second == 0)
      while (!writers[ring].write(&tick, sizeof tick, RecordKind::tick))
        if (writers[ring].wait_for_room(sizeof tick, never) != Room::available)
          _exit(10);
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

[[noreturn]] void merge_once(const std::array<Endpoint, 2>& rings, const OutputTarget& target,
                             const std::string& rotate, int kept_fd, bool takes_over) {
  end_as([&] {
    EndpointOptions endpoints;
    endpoints.takes_over = takes_over;
    Checkpoints checkpoints(kept_fd, takes_over ? SIGKILL : -1);
    const auto* const left = checkpoints.left();
    OutputPolicy policy;
    policy.appears = Appears::growing;
    std::optional<FileSeries> series;
    std::optional<Rotation> rotation;
    std::atomic<bool> asked{false};
    if (!rotate.empty()) {
      series.emplace(rotated_names(target.path), FileBound{}, nullptr, left ? &left->series : nullptr);
      rotation.emplace(parse_file_bound("--rotate", rotate), rings.size(), *series, asked, nullptr);
      policy.series = &*series;
    }
    std::size_t file = 0;
    if (left) {
      policy.resume = [&] { return &left->files[file++]; };
      policy.completing = left->completion.under_way;
    }
    PipeSpool spool(kept_fd, Checkpoints::spool_at());
    policy.spool = &spool;
    const auto sink = make_sink(target, policy);
    std::vector<RecordReader> readers;
    for (const auto& ring : rings)
      readers.push_back(RecordReader::open(ring, StreamKind::flows, endpoints));
    Merger merger(
        std::move(readers), *sink, false, [](auto, std::uint64_t) {}, rotation ? &*rotation : nullptr, &checkpoints);
    if (series)
      series->note_by([&merger] { merger.note(); });
    return ended_in_order(merger, never);
  });
}

/// Whether each number is in one of the files once, and all but one file are in the manifest once.
bool check(const std::filesystem::path& folder, const Shared& shared) {
  std::array<std::vector<bool>, 2> seen{std::vector<bool>(shared.produced[0]), std::vector<bool>(shared.produced[1])};
  std::uint64_t lines = 0, bad = 0, files = 0;
  std::string manifest;
  for_each_line(folder / "flows.manifest", false, [&](std::string_view line) { (manifest += line) += '\n'; });
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name == "flows.manifest")
      continue;
    ++files;
    const auto listed = "\"" + name + "\"";
    if (const auto at = manifest.find(listed);
        !manifest.empty() && (at == std::string::npos || manifest.find(listed, at + 1) != std::string::npos)) {
      std::printf("%s is in the manifest twice, or not at all\n", name.c_str());
      ++bad;
    }
    for_each_line(entry.path(), name.ends_with("zst"), [&](std::string_view line) {
      const auto digits = line.find_first_of("0123456789");
      if (digits == std::string::npos)
        return; // the heading of CSV
      ++lines;
      std::uint64_t number = 0;
      std::from_chars(line.data() + digits, line.data() + line.size(), number);
      auto& of_ring = seen[number % 2];
      if (number / 2 >= of_ring.size() || of_ring[number / 2])
        ++bad;
      else
        of_ring[number / 2] = true;
    });
  }
  const std::uint64_t produced = shared.produced[0] + shared.produced[1];
  std::printf("%llu rows, %llu lines in %llu files, %llu of them twice or none\n",
              static_cast<unsigned long long>(produced), static_cast<unsigned long long>(lines),
              static_cast<unsigned long long>(files), static_cast<unsigned long long>(bad));
  const auto listed = static_cast<std::uint64_t>(std::ranges::count(manifest, '\n'));
  return lines == produced && bad == 0 && listed == (manifest.empty() ? 0 : files);
}

/// Reads a pipe to its end, now and then slowly, into a file.
[[noreturn]] void read_pipe(int pipe, const std::string& path, std::uint64_t seed) {
  std::mt19937_64 dice(seed);
  std::ofstream file(path, std::ios::binary);
  std::array<char, 1 << 16> piece{};
  for (ssize_t got = 0; (got = read(pipe, piece.data(), 1 + dice() % piece.size())) > 0;) {
    file.write(piece.data(), got);
    if (dice() % 1000 == 0)
      usleep(static_cast<unsigned>(dice() % 20'000));
  }
  _exit(file.flush() ? 0 : 14);
}

int run(const Options& options) {
  auto& shared = shared_by_all<Shared>();
  const auto name = "merger-kills-" + std::to_string(getpid());
  const std::array<Endpoint, 2> rings{Endpoint{Endpoint::Kind::ring, name + ".0"},
                                      Endpoint{Endpoint::Kind::ring, name + ".1"}};
  const std::array made{Ring::create(rings[0].segment_name(), 1 << 20, false, true),
                        Ring::create(rings[1].segment_name(), 4 << 20, false, true)};
  const auto folder = std::filesystem::temp_directory_path() / name;
  std::filesystem::create_directory(folder);
  const bool to_pipe = options.format == "pipe";
  const auto target =
      to_pipe
          ? parse_output("-", {})
          : parse_output((folder / ((options.rotate.empty() ? "flows." : "flows-%s.") + options.format)).string(), {});
  const auto kept_fd = make_kept_memory("merger-kills");
  const pid_t producer = in_process([&] { produce(rings, shared); });
  pid_t reader = 0;
  const int own_output = dup(STDOUT_FILENO);
  if (to_pipe) { // as if standard output were one
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0)
      throw Error("no pipe: " + errno_text());
    reader = in_process([&] {
      close(ends[1]);
      read_pipe(ends[0], folder / "flows.ndjson", options.seed);
    });
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
    close(ends[1]);
  }
  bool good = kill_again_and_again(
      options, shared.enough, [&](bool follows) { merge_once(rings, target, options.rotate, kept_fd.get(), follows); });
  if (!good)
    kill(producer, SIGKILL);
  good = status_of(producer) == 0 && good;
  if (reader != 0) {
    dup2(own_output, STDOUT_FILENO);
    good = status_of(reader) == 0 && good;
  }
  for (const auto& ring : rings)
    Segment::remove(ring.segment_name());
  good = good && check(folder, shared);
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  Options options{{.kills = 200}, "ndjson", {}};
  CommandLine app("Kills mergers at work and looks whether a flow was lost, or written twice.", "stress-merger-kills");
  add_kill_options(app, options);
  app.add_option("--rotate", options.rotate, "As of the merger; a second has 20,000 rows of each ring");
  app.add_option("--format", options.format, "Of the output: its suffix, or pipe");
  return run_program(app, argc, argv, [&] { return run(options); });
}
