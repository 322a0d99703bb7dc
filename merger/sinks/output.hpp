// SPDX-License-Identifier: GPL-3.0-or-later
// Where the merger's lines go: standard output, or a file that gets its name only when it is complete. Counts what was
// really written, to the flow. Owned by the merger's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// When a file that is written has its name.
enum class Appears {
  complete, ///< once all is written
  growing,  ///< from the start: what is done is worth something by itself
};

/// What a line counts as.
enum class Line : std::uint8_t {
  main,    ///< what the output is for
  other,   ///< what goes along with it
  heading, ///< nothing
};

class Output {
public:
  /// Standard output where `path` is empty or "-". Else the file of that name: it is written as `PATH.PID.tmp` beside
  /// it, and finish() renames that; what was there before stays until then, and its mode after that. What exists and is
  /// no regular file (a device, a FIFO), and any file that is to be seen growing, is written directly: what was in it
  /// before stays until the first write, and one that was made for nothing goes again. Throws Error.
  /// `what` the lines are is said where writing fails.
  explicit Output(const std::string& path = {}, std::string what = "flows", Appears appears = Appears::complete);
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
  void commit(const char* end, Line line = Line::main) {
    fill_ = static_cast<std::size_t>(end - buffer_.get());
    marks_.push_back({static_cast<std::uint32_t>(fill_), line});
  }

  /// Takes a line of any length, with its newline.
  void write_line(std::string_view text, Line line = Line::main);

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
  [[nodiscard]] std::uint64_t lines_written(Line line = Line::main) const noexcept {
    return lines_written_[static_cast<std::size_t>(line)];
  }
  [[nodiscard]] std::uint64_t octets_written() const noexcept { return octets_written_; }

private:
  /// Where in the buffer a line ends.
  struct Mark {
    std::uint32_t end;
    Line line;
  };

  void fail(int error) noexcept;
  std::size_t cut_back(std::size_t done) noexcept;
  void begin() noexcept;

  std::unique_ptr<char[]> buffer_;
  std::size_t fill_ = 0;
  std::vector<Mark> marks_;
  std::array<std::uint64_t, 3> lines_written_{}; ///< by Line
  std::uint64_t octets_written_ = 0;
  std::string what_;
  std::string path_;      ///< the final name; empty: standard output
  std::string temporary_; ///< while there is one
  bool begins_ = false;   ///< a growing file that nothing was written to yet
  bool is_ours_ = false;  ///< and that was not there before
  bool renames_ = false;  ///< whether it is a file that gets its name at the end
  int fd_ = -1;
  int error_ = 0; ///< errno of what failed first
};

} // namespace orbweaver
