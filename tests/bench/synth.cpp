// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the synthetic capture on which benchmarks run: the same bytes for the same arguments.
//
//     synth [--packets N] [--flows N | --concurrent N] [--snaplen N] [--seconds N] [--seed N] FILE
#include "common/process/options/command_line.hpp"
#include "tests/bench/synth_frame.hpp"
#include "tests/bench/synth_schedule.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace orbweaver::synth {
namespace {

constexpr std::uint32_t start_s = 1'700'000'000;
constexpr std::uint64_t us_per_s = 1'000'000;

/// A pcap file of Ethernet frames with microsecond times in this machine's byte order, written in large pieces.
class Output {
public:
  Output(const std::string& path, std::uint32_t snap_length) : path_(path), snap_length_(snap_length) {
    file_ = std::fopen(path.c_str(), "wb");
    if (file_ == nullptr)
      fail();
    std::setvbuf(file_, nullptr, _IOFBF, buffer_octets);
    constexpr std::uint32_t link_ethernet = 1;
    const std::array<std::uint32_t, 6> header{0xa1b2c3d4, version, 0, 0, snap_length, link_ethernet};
    write(header.data(), sizeof header);
  }

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  ~Output() {
    if (file_ != nullptr)
      std::fclose(file_);
  }

  void packet(std::uint64_t time_us, std::span<const std::uint8_t> frame) {
    const auto wire = static_cast<std::uint32_t>(frame.size());
    const std::uint32_t captured = std::min(wire, snap_length_);
    const std::array<std::uint32_t, 4> header{start_s + static_cast<std::uint32_t>(time_us / us_per_s),
                                              static_cast<std::uint32_t>(time_us % us_per_s), captured, wire};
    write(header.data(), sizeof header);
    write(frame.data(), captured);
  }

  /// Throws where the file could not be written to its end.
  void close() {
    if (std::fclose(std::exchange(file_, nullptr)) != 0)
      fail();
  }

private:
  static constexpr std::size_t buffer_octets = std::size_t{1} << 20;
  static constexpr std::uint32_t version = std::endian::native == std::endian::little ? 4U << 16 | 2U : 2U << 16 | 4U;

  void write(const void* bytes, std::size_t count) {
    if (std::fwrite(bytes, 1, count, file_) != count)
      fail();
  }

  [[noreturn]] void fail() const { throw std::system_error(errno, std::generic_category(), "cannot write " + path_); }

  std::string path_;
  std::uint32_t snap_length_;
  std::FILE* file_ = nullptr;
};

template <typename Schedule>
void generate(const Plan& plan, Output& output) {
  Schedule schedule(plan);
  FrameEncoder encoder;
  std::uint64_t octets = 0;
  std::uint64_t first_us = 0;
  std::uint64_t last_us = 0;
  for (std::uint64_t i = 0; i < plan.packets; ++i) {
    const Turn turn = schedule.next();
    const Identity flow = identify(plan.seed, turn.flow->number);
    const Step step = advance(flow, *turn.flow);
    const auto frame = encoder.encode(flow, step, turn.time_us);
    output.packet(turn.time_us, frame);
    octets += frame.size() - ethernet_octets;
    if (i == 0)
      first_us = turn.time_us;
    last_us = turn.time_us;
  }
  output.close();
  std::printf("%llu packets, %u flows by five-tuple, %llu octets, %.6f seconds\n",
              static_cast<unsigned long long>(plan.packets), plan.flows, static_cast<unsigned long long>(octets),
              static_cast<double>(last_us - first_us) / static_cast<double>(us_per_s));
}

int run(int argc, char** argv) {
  Plan plan{.packets = 10'000'000, .flows = 650'000, .duration_us = 0, .seed = 1};
  std::uint32_t snap_length = 128;
  std::uint32_t seconds = 60;
  std::uint32_t concurrent = 0;
  std::string path;
  CommandLine app("Writes a deterministic synthetic capture.", "synth");
  app.add_option("--packets", plan.packets, "packets in all")->capture_default_str();
  auto* const flows = app.add_option("--flows", plan.flows, "flows of heavy-tailed sizes")->capture_default_str();
  app.add_option("--concurrent", concurrent, "instead, this many flows, open from the first round to the last")
      ->excludes(flows);
  app.add_option("--snaplen", snap_length, "octets kept of a frame")
      ->transform(whole_number(1, 65535))
      ->capture_default_str();
  app.add_option("--seconds", seconds, "duration of the capture")
      ->transform(whole_number(1, 86400))
      ->capture_default_str();
  app.add_option("--seed", plan.seed, "another seed gives another capture")->capture_default_str();
  app.add_option("FILE", path, "the pcap file")->required();
  if (const auto status = app.parse(argc, argv))
    return *status;

  if (concurrent != 0)
    plan.flows = concurrent;
  plan.duration_us = seconds * us_per_s;
  if (plan.flows == 0 || plan.packets < plan.flows) {
    std::fprintf(stderr, "synth: %llu packets are too few for %u flows\n",
                 static_cast<unsigned long long>(plan.packets), plan.flows);
    return 2;
  }
  Output output(path, snap_length);
  if (concurrent != 0)
    generate<RoundRobin>(plan, output);
  else
    generate<HeavyTailed>(plan, output);
  return 0;
}

} // namespace
} // namespace orbweaver::synth

int main(int argc, char** argv) {
  try {
    return orbweaver::synth::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "synth: %s\n", error.what());
    return 1;
  }
}
