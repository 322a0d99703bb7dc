// SPDX-License-Identifier: GPL-3.0-or-later
// Lines of a file or of standard input, bounded in length, without ever blocking on a pipe that has nothing yet. Owned
// by the job reader; one thread.
#pragma once

#include "common/file_descriptor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class LineReader {
public:
  /// A longer line is no line: it is passed over without being kept.
  static constexpr std::size_t max_line_octets = 128 << 10;
  /// At most this much is read ahead.
  static constexpr std::size_t read_octets = 64 << 10;
  /// So many octets behind a line may be read, whatever they are: simdjson reads in blocks.
  static constexpr std::size_t slack_octets = 64;

  enum class Next {
    line,
    too_long, ///< that line was passed over
    skipped,  ///< some of a line that is too long was passed over: there may be more of it
    wait,     ///< nothing is there now: wait until descriptor() can be read
    end,      ///< of the input, or of what could be read of it: problem() says so
  };

  /// "-" is standard input. Throws UsageError for what cannot be opened.
  explicit LineReader(const std::string& path);

  /// `line`, without its line end, is valid until the next call. The last one needs no line end.
  Next next(std::string_view& line);

  [[nodiscard]] int descriptor() const noexcept { return input_.get(); }
  /// Of the line given last, from 1.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  /// Octets up to the end of the line given last, and in all; 0 where the input is no file.
  [[nodiscard]] std::uint64_t position_octets() const noexcept { return position_; }
  [[nodiscard]] std::uint64_t size_octets() const noexcept { return size_; }
  /// Why reading ended before the end (input, errno text), or empty.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

private:
  /// Reads once, if that does not block; false where it would.
  bool fill();
  Next give(std::string_view& line, std::size_t length, std::size_t line_end);

  FileDescriptor input_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;   ///< of the line that comes next
  std::size_t scanned_ = 0; ///< no line end lies before
  std::size_t end_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t size_ = 0;
  bool skipping_ = false; ///< what stands at begin_ belongs to a line that is too long
  bool ended_ = false;
  std::string problem_;
};

} // namespace orbweaver
