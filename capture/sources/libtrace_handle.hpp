// SPDX-License-Identifier: GPL-3.0-or-later
// A started libtrace trace and the packets that it reads into. Owned by one source, in its thread.
#pragma once

#include "capture/sources/libtrace_source.hpp"
#include "capture/sources/source.hpp"

#include <array>
#include <libtrace.h>

namespace orbweaver {

class LibtraceHandle {
public:
  /// Throws Error.
  explicit LibtraceHandle(const LibtraceOptions& options);
  ~LibtraceHandle();
  LibtraceHandle(const LibtraceHandle&) = delete;
  LibtraceHandle& operator=(const LibtraceHandle&) = delete;

  [[nodiscard]] libtrace_t* trace() const noexcept { return trace_; }

  /// The packet for place `index` of a batch. Each has a buffer of its own, so a batch stays valid as a whole.
  [[nodiscard]] libtrace_packet_t* packet(std::size_t index) const noexcept { return packets_[index]; }

  /// Gives the kernel the ring slots back that the first `count` packets hold; libtrace would keep each until its
  /// packet is read into again, also past the end of its batch. Nothing for other formats.
  void release(std::size_t count) noexcept;

  /// "NAME: what libtrace says", after an error.
  [[nodiscard]] std::string error_text() const;

private:
  [[noreturn]] void throw_open_error();

  std::string name_;
  libtrace_t* trace_;
  std::array<libtrace_packet_t*, frame_batch> packets_{};
};

} // namespace orbweaver
