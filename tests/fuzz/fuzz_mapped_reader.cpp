// SPDX-License-Identifier: GPL-3.0-or-later
// Feeds any octets to the pcap, pcapng and ERF readers: they must end, every octet of every frame must be readable, and
// the frames must not depend on the size of a batch.
#include "capture/sources/capture_reader.hpp"
#include "capture/sources/erf_reader.hpp"
#include "common/error.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace orbweaver;

std::uint64_t digest(Input::Octets octets, std::size_t batch, bool erf) {
  std::uint64_t sum = 0;
  const auto mix = [&sum](std::uint64_t value) { sum = (sum ^ value) * 0x9e3779b97f4a7c15ULL; };
  try {
    auto input = std::make_unique<MemoryInput>("fuzz", octets);
    const std::unique_ptr<Source> source =
        erf ? std::make_unique<ErfReader>(std::move(input), 0) : make_capture_reader(std::move(input), 0);
    std::vector<Frame> frames(batch);
    for (;;) {
      const Source::Result result = source->read(frames);
      if (result.status != Source::Status::frames) {
        if ((result.status == Source::Status::failed) == source->error().empty())
          std::abort(); // a failure has a reason, an end has none
        break;
      }
      for (const Frame& frame : std::span(frames).first(result.count)) {
        mix(frame.time_ns);
        mix(frame.wire_length);
        for (std::uint32_t i = 0; i < frame.captured_length; ++i)
          mix(frame.data[i]);
      }
    }
  } catch (const Error&) {
    return 1;
  }
  return sum;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size lets the sanitizer see a read behind the end.
  const std::vector<std::uint8_t> octets(data, data + size);
  for (const bool erf : {false, true})
    if (digest(octets, orbweaver::frame_batch, erf) != digest(octets, 1, erf))
      std::abort();
  return 0;
}
