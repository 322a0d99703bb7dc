// SPDX-License-Identifier: GPL-3.0-or-later
// Where the merger's lines go: standard output, or a file that gets its name only when it is complete. Counts what was
// really written, to the flow. Owned by the merger's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace orbweaver {

/// When a file that is written has its name.
enum class Appears {
  complete, ///< once all is written
  growing,  ///< from the start: what is done is worth something by itself
};

class Output {
public:
  /// Standard output where `path` is empty or "-". Else the file of that name: it is written as `PATH.PID.tmp` beside
  /// it, and finish() renames that; what was there before stays until then, and its mode after that. What exists and is
  /// no regular file (a device, a FIFO), and any file that is to be seen growing, is written directly. Throws Error.
  /// `what` the lines are is said where writing fails.
  explicit Output(const std::string& path = {}, std::string_view what = "flows", Appears appears = Appears::complete);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// Removes the temporary file unless finish() succeeded.
  ~Output();

  static constexpr std::size_t buffer_bytes = 256 << 10;

  /// Place for a line of at most `bytes` octets, itself at most buffer_bytes. There is always room: what comes after a
  /// failure is dropped.
  [[nodiscard]] char* claim(std::size_t bytes) noexcept {
    if (buffer_bytes - fill_ < bytes) [[unlikely]]
      flush();
    return buffer_.get() + fill_;
  }

  /// Ends the line claimed last, `end` being the place after its newline.
  void commit(const char* end) noexcept {
    fill_ = static_cast<std::size_t>(end - buffer_.get());
    ++lines_taken_;
  }

  /// Takes a line of any length, which ends with its newline and has no other one.
  void write_line(std::string_view line) noexcept;

  /// Writes what is in the buffer. False once writing has failed.
  bool flush() noexcept;

  /// Whether somebody may be reading as it is written, so that lines should not wait in the buffer for long.
  [[nodiscard]] bool is_read_live() const noexcept { return !renames_; }

  /// Writes the rest, closes, and gives a file its name. False where that failed.
  bool finish() noexcept;

  [[nodiscard]] bool failed() const noexcept { return error_ != 0; }
  /// What failed, where, and how many lines were written, or empty.
  [[nodiscard]] std::string failure() const;

  /// Lines that the system took as a whole.
  [[nodiscard]] std::uint64_t lines_written() const noexcept { return lines_written_; }
  [[nodiscard]] std::uint64_t octets_written() const noexcept { return octets_written_; }

private:
  void fail(int error) noexcept;

  std::unique_ptr<char[]> buffer_;
  std::size_t fill_ = 0;
  std::uint64_t lines_taken_ = 0;
  std::uint64_t lines_written_ = 0;
  std::uint64_t octets_written_ = 0;
  std::string_view what_;
  std::string path_;      ///< the final name; empty: standard output
  std::string temporary_; ///< while there is one
  bool renames_ = false;  ///< whether it is a file that gets its name at the end
  int fd_ = -1;
  int error_ = 0; ///< errno of what failed first
};

} // namespace orbweaver
