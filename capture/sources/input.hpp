// SPDX-License-Identifier: GPL-3.0-or-later
// The octets of a capture, as a window that moves forward: over a mapped file without a copy, or over a buffer that a
// pipe or a decompressor fills. Owned by one reader, in its thread.
#pragma once

#include "capture/sources/decompressor.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace orbweaver {

class Input {
public:
  using Octets = std::span<const std::uint8_t>;

  enum class More : std::uint8_t {
    more,   ///< the window has grown
    idle,   ///< nothing came within 100 ms
    end,    ///< there is nothing behind the window
    failed, ///< reading failed; error() says how
  };

  explicit Input(std::string name) : name_(std::move(name)) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  virtual ~Input() = default;

  /// What messages call it: a path, or "standard input".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// The offset of the window's front in the file, for whom gets an input of which a part was read.
  [[nodiscard]] std::uint64_t begins_at() const noexcept { return begins_at_; }
  void begin_at(std::uint64_t offset) noexcept { begins_at_ = offset; }

  /// The octets at hand.
  [[nodiscard]] Octets window() const noexcept { return window_; }

  /// Moves the front of the window to `from`, a pointer into it or its end, and asks for more octets at its back.
  /// Pointers into the window are void after it, even where nothing came.
  [[nodiscard]] virtual More advance(const std::uint8_t* from) noexcept = 0;

  /// Whether octets of the window are lost since they were shown, because the file was cut shorter: what was read of
  /// them is void, and advance() fails. `look`: something looks wrong, so ask the file system too.
  [[nodiscard]] virtual bool lost([[maybe_unused]] bool look) noexcept { return false; }

  /// What lost() is without a look: not 0 once octets are lost. nullptr where none can get lost.
  [[nodiscard]] virtual const volatile std::sig_atomic_t* lost_flag() const noexcept { return nullptr; }

  /// Octets in the window make no sense: why that is, where reading on tells it (a checksum behind them); else "".
  /// Nothing can be read afterwards; the window stays.
  [[nodiscard]] virtual std::string why_senseless() noexcept { return {}; }

  /// Octets in all; 0 where that is not known.
  [[nodiscard]] virtual std::uint64_t size_octets() const noexcept { return 0; }

  [[nodiscard]] const std::string& error() const noexcept { return error_; }

protected:
  void set_window(Octets window) noexcept { window_ = window; }
  More fail(std::string text) noexcept {
    error_ = std::move(text);
    return More::failed;
  }

private:
  std::string name_;
  std::string error_;
  Octets window_;
  std::uint64_t begins_at_ = 0;
};

/// Octets that are in memory already; they must outlive it.
class MemoryInput final : public Input {
public:
  MemoryInput(std::string name, Octets octets) : Input(std::move(name)), size_(octets.size()) { set_window(octets); }

  More advance(const std::uint8_t* from) noexcept override {
    set_window({from, window().data() + window().size()});
    return More::end;
  }
  std::uint64_t size_octets() const noexcept override { return size_; }

private:
  std::uint64_t size_;
};

/// An Input that copies: keeps what the reader has not used yet and lets `fill` add behind it.
class BufferedInput : public Input {
public:
  More advance(const std::uint8_t* from) noexcept final;

protected:
  explicit BufferedInput(std::string name);

  /// Writes at most `room` octets to `at` and says in `filled` how many: at least 1 when it returns `more`.
  [[nodiscard]] virtual More fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept = 0;

private:
  std::unique_ptr<std::uint8_t[]> buffer_;
  std::size_t capacity_;
};

/// The regular file at `path`, mapped. It is read as long as it was when it was opened; a file that is cut shorter
/// meanwhile is a failure, and lost() says where octets in the window went with it. Throws Error.
[[nodiscard]] std::unique_ptr<Input> open_mapped_input(const std::string& path);

/// What arrives at a file descriptor (a pipe, a socket, a terminal); closes it in the end.
[[nodiscard]] std::unique_ptr<Input> open_pipe_input(int descriptor, std::string name);

/// The decompressed octets of what `packed` holds: any number of streams, one after the other. Where it is cut off or
/// damaged, or something else stands behind a stream, all octets that can be decompressed come before the failure.
[[nodiscard]] std::unique_ptr<Input> open_compressed_input(std::unique_ptr<Input> packed, Compression compression);

} // namespace orbweaver
