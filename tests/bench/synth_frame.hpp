// SPDX-License-Identifier: GPL-3.0-or-later
// Turns a step of a synthetic flow into an Ethernet frame with right lengths and checksums. Made for speed: payloads
// are zeros, which no checksum needs to visit, and nothing is allocated for TCP and UDP.
#pragma once

#include "tests/bench/synth_flow.hpp"

#include <cstddef>
#include <span>

namespace orbweaver::synth {

constexpr std::size_t ethernet_octets = 14; // of a frame's link header

class FrameEncoder {
public:
  /// The frame as it is on the wire, up to 1514 octets; valid until the next call. `time_us` goes into TCP timestamps.
  std::span<const std::uint8_t> encode(const Identity& flow, const Step& step, std::uint64_t time_us);

private:
  std::size_t write_transport(const Identity& flow, const Step& step, std::uint64_t time_us, std::uint8_t* out);

  alignas(64) std::array<std::uint8_t, 2048> frame_{};
  std::size_t dirty_ = 0; // octets that may not be zero
};

} // namespace orbweaver::synth
