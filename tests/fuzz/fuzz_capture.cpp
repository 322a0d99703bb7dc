// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes the capture stage from a file to a stream: the reader that the file's first octets choose, with its
// decompressor, the run loop, and the records that it writes, which must be sound and as many as its counters say.
// Input: an octet that chooses options, then the file.
#include "capture/capture.hpp"
#include "capture/sources/open_source.hpp"
#include "common/error.hpp"
#include "common/stream/record_reader.hpp"
#include "common/stream/record_writer.hpp"
#include "tests/fuzz/memory_file.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <unistd.h>
#include <vector>

using namespace orbweaver;

namespace {

constexpr std::size_t observers = 2;

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// The files that the observers' streams go to; gone when the process ends.
class Outputs {
public:
  Outputs() {
    for (std::size_t i = 0; i < observers; ++i)
      names_.push_back(std::filesystem::temp_directory_path() /
                       ("fuzz-capture-" + std::to_string(getpid()) + "-" + std::to_string(i)));
  }
  Outputs(const Outputs&) = delete;
  Outputs& operator=(const Outputs&) = delete;
  ~Outputs() {
    for (const auto& name : names_)
      std::filesystem::remove(name);
  }

  [[nodiscard]] Endpoint endpoint(std::size_t observer) const { return {Endpoint::Kind::file, names_[observer]}; }
  [[nodiscard]] std::vector<RecordWriter> open() const {
    std::vector<RecordWriter> writers;
    for (std::size_t i = 0; i < observers; ++i)
      writers.push_back(RecordWriter::open(endpoint(i), stream_of(StreamKind::packets)));
    return writers;
  }

private:
  std::vector<std::string> names_;
};

/// Reads a stream to its end, which must be there, and returns how many packets it has.
std::uint64_t packets_of(const Endpoint& endpoint) {
  auto reader = RecordReader::open(endpoint, StreamKind::packets);
  const std::atomic<bool> stop{false};
  std::array<const RecordHeader*, 64> batch{};
  std::uint64_t packets = 0, ends = 0;
  for (;;) {
    if (const std::size_t count = reader.peek(batch); count > 0) {
      for (std::size_t i = 0; i < count; ++i) {
        require(ends == 0);
        ends += batch[i]->kind == RecordKind::end;
        if (batch[i]->kind == RecordKind::packet) {
          require(packet_record_valid(batch[i]));
          ++packets;
        }
      }
      reader.release();
    } else if (reader.wait(stop) != Wait::readable) {
      require(ends == 1);
      return packets;
    }
  }
}

void capture(Source& source, const CaptureOptions& options) {
  namespace C = CaptureCounter;
  static const Outputs outputs;
  const std::atomic<bool> stop{false};
  Capture capture(source, outputs.open(), options, stop);
  const auto result = capture.run([](std::span<const std::uint64_t>, std::uint64_t) {});
  require(result.error.empty() == source.error().empty());
  std::uint64_t sum = capture.counter(C::non_ip) + capture.counter(C::short_packets) + capture.counter(C::filtered);
  for (std::size_t i = 0; i < observers; ++i) {
    require(packets_of(outputs.endpoint(i)) == capture.counter(C::delivered_to + i));
    require(capture.counter(C::dropped_on + i) == 0); // a file waits
    sum += capture.counter(C::delivered_to + i);
  }
  require(capture.counter(C::packets_read) == sum);
  require(capture.counter(C::fragments_held) == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  static const test::MemoryFile file;
  static const BpfFilter filter("tcp or port 53");
  file.fill({reinterpret_cast<const char*>(data) + 1, size - 1});
  CaptureOptions options{.seed = 1};
  options.needs = data[0] & 1 ? Need::all : 0;
  options.filter = data[0] & 2 ? &filter : nullptr;
  if (data[0] & 4)
    options.count = 3;
  const std::uint32_t snap_length = data[0] & 8 ? 60 : 0;
  try {
    const auto source =
        open_source({.name = file.path(), .reader = SourceOptions::Reader::mapped, .snap_length = snap_length});
    capture(*source, options);
  } catch (const Error&) {
    // No capture file: said at start-up.
  }
  return 0;
}
