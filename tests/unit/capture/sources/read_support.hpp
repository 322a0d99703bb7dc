// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a source to its end, copying what it gives, for the tests of readers.
#pragma once

#include "capture/sources/capture_reader.hpp"
#include "capture/sources/source.hpp"
#include "tests/support/capture_writer.hpp"

#include <string>
#include <vector>

namespace orbweaver::test {

struct ReadFrame {
  craft::Bytes octets;
  std::uint64_t time_ns;
  std::uint32_t wire_length;
  LinkType link;
};

struct ReadResult {
  std::vector<ReadFrame> frames;
  Source::Status status; // how it ended
  std::string error;
  std::string warning;
  std::uint64_t skipped = 0;
};

/// Asks for `batch` frames at a time; gives up as `idle` when nothing comes ten times in a row.
inline ReadResult read_all(Source& source, std::size_t batch = frame_batch) {
  ReadResult all{};
  std::vector<Frame> frames(batch);
  for (int idle = 0; idle < 10;) {
    const Source::Result result = source.read(frames);
    all.status = result.status;
    if (result.status == Source::Status::idle) {
      ++idle;
      continue;
    }
    if (result.status != Source::Status::frames)
      break;
    idle = 0;
    for (std::size_t i = 0; i < result.count; ++i) {
      const Frame& f = frames[i];
      all.frames.push_back({craft::Bytes(f.data, f.data + f.captured_length), f.time_ns, f.wire_length, f.link});
    }
  }
  all.error = source.error();
  all.warning = source.warning();
  all.skipped = source.skipped();
  return all;
}

inline ReadResult read_bytes(const craft::Bytes& bytes, std::uint32_t snap_length = 0,
                             std::size_t batch = frame_batch) {
  const auto source = make_capture_reader(std::make_unique<MemoryInput>("test.pcap", bytes), snap_length);
  return read_all(*source, batch);
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace orbweaver::test
