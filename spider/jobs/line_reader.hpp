// SPDX-License-Identifier: GPL-3.0-or-later
// Lines of a file or of standard input, bounded in length, without ever blocking on a pipe that has nothing yet. Owned
// by the job reader; one thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "spider/jobs/tape.hpp"

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
  /// Of a half of the tape: a line, what is read ahead, and what a follower may still need.
  static constexpr std::size_t half_octets = 512 << 10;

  enum class Next {
    line,
    too_long, ///< that line was passed over
    skipped,  ///< some of a line that is too long was passed over: there may be more of it
    wait,     ///< nothing is there now: wait until descriptor() can be read
    end,      ///< of the input, or of what could be read of it: problem() says so
  };

  /// "-" is standard input. What is read is kept on `tape`, where there is one. Throws UsageError for what cannot be
  /// opened.
  explicit LineReader(const std::string& path, const TapeMemory& tape = {});

  /// Goes on where a predecessor had come to, which wrote the tape; before the first line. Throws Error where the tape
  /// is none that it can have written.
  void resume(std::uint64_t position_octets, std::uint64_t number);

  /// `line`, without its line end, is valid until the next call. The last one needs no line end.
  Next next(std::string_view& line);

  /// Who follows goes on there: what comes behind is kept on the tape as long as there is room for it.
  void keep_from(std::uint64_t position_octets) noexcept { kept_from_ = position_octets; }

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
  /// Goes on in the other half, with what is still needed of this one.
  void turn_over() noexcept;
  Next give(std::string_view& line, std::size_t length, std::size_t line_end);

  [[nodiscard]] TapeState::Half& half() noexcept { return tape_.state->halves[tape_.state->at_work % 2]; }
  [[nodiscard]] char* octets() noexcept { return tape_.halves[tape_.state->at_work % 2].data(); }

  FileDescriptor input_;
  std::string name_;
  TapeState own_state_{};
  std::vector<char> own_halves_;
  TapeMemory tape_;
  bool is_kept_;
  std::size_t begin_ = 0;       ///< of the line that comes next, in the half
  std::size_t scanned_ = 0;     ///< no line end lies before
  std::uint64_t kept_from_ = 0; ///< place in the input of what must stay
  std::uint64_t number_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t size_ = 0;
  bool is_file_ = false;
  bool skipping_ = false; ///< what stands at begin_ belongs to a line that is too long
  bool ended_ = false;
  std::string problem_;
};

} // namespace orbweaver
