// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/last_frames.hpp"

#include "capture/links/link_type.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <sys/types.h>
#include <unistd.h>

namespace orbweaver {

namespace {

// https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
struct FileHeader {
  std::uint32_t magic = 0xA1B23C4D; ///< times are in nanoseconds
  std::uint16_t major = 2, minor = 4;
  std::uint32_t reserved[2]{};
  std::uint32_t snap_length = 0x40000;
  std::uint32_t link_type = 0;
};
static_assert(sizeof(FileHeader) == 24);

struct FrameHeader {
  std::uint32_t second, nanosecond, captured_length, wire_length;
};
static_assert(sizeof(FrameHeader) == 16);

constexpr std::uint32_t linktype_raw = 101; // in files; DLT_RAW is another number
constexpr std::uint64_t second_ns = 1'000'000'000;

int give_out_to = -1;
const Frame* volatile first = nullptr;
volatile std::size_t count = 0;

/// An address that cannot be read is an error of the call, and no second fault.
template <typename Value>
bool give(const Value& value) noexcept {
  return write(give_out_to, &value, sizeof value) == static_cast<ssize_t>(sizeof value);
}

/// Only calls that a signal handler may make.
void on_fault(int signal) {
  const std::span<const Frame> frames(first, count);
  if (!frames.empty()) {
    FileHeader header;
    const auto link = frames.front().link;
    header.link_type = link == LinkType::raw_ip ? linktype_raw : static_cast<std::uint32_t>(dlt_of(link));
    bool going = give(header);
    for (const Frame& frame : frames) {
      const auto begin = lseek(give_out_to, 0, SEEK_END);
      const FrameHeader before{static_cast<std::uint32_t>(frame.time_ns / second_ns),
                               static_cast<std::uint32_t>(frame.time_ns % second_ns), frame.captured_length,
                               frame.wire_length};
      going = going && frame.link == link && give(before);
      if (going && write(give_out_to, frame.data, frame.captured_length) != static_cast<ssize_t>(frame.captured_length))
        going = ftruncate(give_out_to, begin) == 0; // without this one
    }
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

} // namespace

void give_out_last_frames(int fd) noexcept {
  give_out_to = fd;
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL})
    std::signal(signal, on_fault);
}

void frames_at_work(std::span<const Frame> frames) noexcept {
  first = frames.data();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  count = frames.size();
}

} // namespace orbweaver
