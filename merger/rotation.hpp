// SPDX-License-Identifier: GPL-3.0-or-later
// When an output that is one file after another goes on with the next one, by the packet clock, and what is told of
// each file in the manifest. Every flow is in the file of the second in which it left: a stream whose clock comes to
// the boundary is held there until all have (StreamLoop::hold_at). Owned by the merger's thread.
//
// The second under way when the clock reads S (TickRecord) is S - 1: packets of (S - 1, S] come.
#pragma once

#include "common/process/files/rotation.hpp"
#include "merger/rows/digest.hpp"
#include "merger/sinks/file_series.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace orbweaver {

/// Why a file ended.
enum class FileEnd : std::uint8_t { time, size, signal, end };
[[nodiscard]] std::string_view to_string(FileEnd end) noexcept;

/// Where the file at work is on the packet clock.
struct RotationState {
  bool has_begun = false;       ///< the clock of all streams is known
  bool is_over = false;         ///< there is no file at work any more
  FileEnd cause{};              ///< of that end
  std::uint64_t begin_s = 0;    ///< of the file at work
  std::uint64_t boundary_s = 0; ///< where it ends at the latest; 0 before it has begun
};

/// A file's stretch of the packet clock: [begin_s, end_s).
struct FileSpan {
  std::uint64_t begin_s;
  std::uint64_t end_s;
  FileEnd cause;
};

/// A span whose files are being completed: who follows somebody that dies meanwhile does it again.
struct Completion {
  bool under_way;
  FileSpan span;
  bool has_next; ///< whether files follow that begin where it ends
};

/// What a stream gave to the file at work.
struct StreamShare {
  std::uint64_t flows = 0;
  std::uint64_t events = 0;
  std::uint64_t losses = 0;       ///< times that its observer was told of packets that it missed
  std::uint64_t lost_packets = 0; ///< those of them that were counted

  void lost(std::uint64_t packets) noexcept {
    ++losses;
    lost_packets += packets;
  }
};

/// A stream, as far as the file at work goes.
struct StreamInFile {
  std::uint64_t clock_s = 0;
  StreamShare share;
};

/// All that says where a rotation stands, but for its streams: who follows goes on with it. Lies in any memory.
struct RotationMark {
  RotationState state;
  std::uint64_t packets = 0; ///< that the flows of the file at work have counted
  std::uint64_t jobs = 0;    ///< up to the file at work
  Digest digest;             ///< the same
  std::uint64_t files_complete = 0;
};
static_assert(std::is_trivially_copyable_v<RotationMark> && std::is_trivially_copyable_v<StreamInFile> &&
              std::is_trivially_copyable_v<Completion>);

class Rotation {
public:
  static constexpr std::uint64_t never = UINT64_MAX;

  /// `every`: how long or how large a file may be. `asked` is set when somebody wants the next file now.
  Rotation(FileBound every, std::size_t streams, FileSeries& series, std::atomic<bool>& asked,
           std::function<bool()> wait_on);

  /// A stream whose clock is to read more than this has to wait: what follows belongs to the next file.
  [[nodiscard]] std::uint64_t boundary_s() const noexcept { return mark_.state.boundary_s; }

  [[nodiscard]] const RotationMark& mark() const noexcept { return mark_; }
  [[nodiscard]] std::span<const StreamInFile> streams() const noexcept { return streams_; }
  /// Goes on where somebody was.
  void resume(const RotationMark& mark, std::span<const StreamInFile> streams) {
    mark_ = mark;
    streams_.assign(streams.begin(), streams.end());
  }

  /// The clock of a stream reads `second` now.
  void at(std::size_t stream, std::uint64_t second) noexcept { streams_[stream].clock_s = second; }

  /// Whether the file at work has so many octets that the next second goes to the next one, or somebody has asked for
  /// it; boundary_s() says so then.
  bool wants_next(std::uint64_t octets) noexcept;

  /// The least of all clocks is to read `second`, beyond the boundary. The first time it says where the first file
  /// begins, and gives nothing; then the file that is complete. The next one begins where it ends.
  std::optional<FileSpan> advance(std::uint64_t second) noexcept;

  /// The file at work when all streams have ended; nothing where there was neither a clock nor a row, or it is over
  /// already.
  [[nodiscard]] std::optional<FileSpan> last(bool has_rows) const noexcept;
  /// It is being completed.
  void end() noexcept { mark_.state.is_over = true; }

  [[nodiscard]] const RotationState& state() const noexcept { return mark_.state; }

  StreamShare& share(std::size_t stream) noexcept { return streams_[stream].share; }
  /// Packets that the flows of the file at work have counted.
  void packets(std::uint64_t count) noexcept { mark_.packets += count; }

  /// What there is of the whole run when a file is complete; the file's own is what came since the last one.
  struct Sums {
    std::optional<std::uint64_t> jobs;
    std::optional<Digest> digest;
    bool has_packets = false;
  };
  /// Lists a span's files in the manifest, and removes the oldest of all where there are too many. False where the
  /// manifest could not be written: failure() says why.
  bool list(const FileSpan& span, std::span<const CompleteFile> files, const Sums& sums);

  [[nodiscard]] const FileSeries& series() const noexcept { return series_; }
  [[nodiscard]] const std::string& failure() const noexcept { return series_.failure(); }
  [[nodiscard]] std::uint64_t files_complete() const noexcept { return mark_.files_complete; }
  [[nodiscard]] std::uint64_t files_removed() const noexcept { return series_.mark().removed; }

private:
  void end_before(std::uint64_t second, FileEnd cause) noexcept;
  void begin(std::uint64_t second) noexcept;

  FileBound every_;
  FileSeries& series_;
  std::atomic<bool>& asked_;
  std::function<bool()> wait_on_;
  RotationMark mark_;
  std::vector<StreamInFile> streams_;
};

} // namespace orbweaver
