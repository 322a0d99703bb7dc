// SPDX-License-Identifier: GPL-3.0-or-later
// Where frames come from: a capture file, a pipe, a live interface, or whatever libtrace reads. Owned and read by the
// capture stage's one thread; frames come in batches, since this is its hottest path.
#pragma once

#include "capture/links/link_type.hpp"

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// One frame as captured. Its octets stay valid until the next read of the source it came from.
struct Frame {
  const std::uint8_t* data;      ///< `captured_length` octets, at any alignment
  std::uint64_t time_ns;         ///< since 1970-01-01 00:00 UTC; clamped to what 64 bits hold
  std::uint32_t captured_length; ///< octets at `data`
  std::uint32_t wire_length;     ///< octets on the wire without frame check sequence, as the capture says; unchecked
  LinkType link;
};

/// As many frames as one read is meant to be asked for.
inline constexpr std::size_t frame_batch = 64;

class Source {
public:
  enum class Status : std::uint8_t {
    frames, ///< one or more frames were given
    idle,   ///< none came within about 100 ms; read again
    away,   ///< none can come, since the interface is not there, not up, or without a carrier; read again
    end,    ///< none is left
    failed, ///< none is left that can be read; error() says what was wrong
  };
  struct Result {
    Status status;
    std::size_t count; ///< frames written to the front of `out`; 0 unless `status` is `frames`
  };

  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// Gives the next frames, at most `out.size()` of them (at least 1 must be asked for). Waits no longer than about
  /// 100 ms where the source can be waited for. After `end` or `failed` it gives the same again. All frames before a
  /// fault are given before `failed` is.
  [[nodiscard]] virtual Result read(std::span<Frame> out) noexcept = 0;

  /// Whether the frames given last have lost their octets, because the file was cut shorter under them. They must not
  /// be used then, and the next read fails.
  [[nodiscard]] bool lost() const noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst); // the octets read until here were read before the flag
    return *lost_ != 0;
  }

  /// Whether packets are lost when they are not read in time. A pipe is not live: it waits.
  [[nodiscard]] virtual bool live() const noexcept { return false; }

  /// Where the interface was removed and has not come back: one line that says so; else empty.
  [[nodiscard]] virtual std::string removed() const { return {}; }

  /// Packets that the kernel or the interface dropped, as far as the source can tell.
  [[nodiscard]] virtual std::uint64_t dropped() noexcept { return 0; }

  /// Packets that were passed over because their pcapng interface has an unsupported link type; warning() names it.
  [[nodiscard]] virtual std::uint64_t skipped() const noexcept { return 0; }

  /// Octets of the file read so far, and its size; the size is 0 where it is not known.
  [[nodiscard]] virtual std::uint64_t position_octets() const noexcept { return 0; }
  [[nodiscard]] virtual std::uint64_t size_octets() const noexcept { return 0; }

  /// After `failed`: the source, the offset in it, and what was wrong there.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  /// Of several inputs that are read on where one of them fails: what is to be said of that at the end of a run that
  /// nobody reads on; empty where none has failed.
  [[nodiscard]] virtual std::string failures() const { return {}; }

  /// Files that it opens only when it comes to them, and folders in which it looks for more.
  [[nodiscard]] virtual std::vector<std::string> paths_to_come() const { return {}; }

  /// What the user should know of a run that did not fail; empty where there is nothing.
  [[nodiscard]] virtual std::string warning() const { return {}; }

protected:
  /// Where octets can get lost: what a signal handler sets then. Lives as long as the source.
  void watch_loss(const volatile std::sig_atomic_t& flag) noexcept { lost_ = &flag; }

  Result fail(std::string text) noexcept {
    error_ = std::move(text);
    return {Status::failed, 0};
  }

private:
  static constexpr std::sig_atomic_t never = 0;

  std::string error_;
  const volatile std::sig_atomic_t* lost_ = &never;
};

} // namespace orbweaver
