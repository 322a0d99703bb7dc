// SPDX-License-Identifier: GPL-3.0-or-later
// Where the merger's lines go: standard output, or a file. What was written stays, whatever happens, and ends at a
// line's end: a file that is complete only at its end is written beside its name until then (work_file.hpp), one that
// grows is added to. What has a name that ends in ".zst" is compressed as it goes: each write is a zstd frame of whole
// lines, so that a file can be read up to the last one, and gone on with. Counts what was really written, to the flow.
// Owned by the merger's thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "merger/sinks/file_series.hpp"
#include "merger/sinks/pipe_spool.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace orbweaver {

/// When a file that is written has its name.
enum class Appears {
  complete, ///< once all is written; then it takes the place of what was there
  growing,  ///< from the start, behind what is there: what is done is worth something by itself
};

/// How far an output is written, once all is flushed: what a follower cuts its file to, and goes on counting from. Lies
/// in any memory (kept_memory.hpp).
struct OutputMark {
  std::uint64_t offset = 0;             ///< of the file, or the spool
  std::array<std::uint64_t, 3> lines{}; ///< by Line
  std::uint64_t octets = 0;
  // Of one file after another:
  std::array<std::uint64_t, 3> lines_before{}; ///< in files before the one at work
  WorkTag tag{}, next_tag{};                   ///< of the file at work, and of the one after it
  std::uint32_t number = 0;                    ///< of the name that it gets
  bool at_work = false;                        ///< whether there is such a file
};
static_assert(std::is_trivially_copyable_v<OutputMark>);

/// How files are written.
struct OutputPolicy {
  Appears appears = Appears::complete;
  unsigned sync_s = 0; ///< what a power cut may cost; 0: what the kernel makes of it
  /// Called ten times a second while a disk is full: whether to wait on. Without it, a full disk is a failure.
  std::function<bool()> wait_on{};
  std::function<void(const std::string&)> warn{};
  FileSeries* series = nullptr; ///< where it is one file after another, whose paths are patterns; else as it appears
  /// Of who follows a writer that died: where it was, for each file in the order in which they are opened. nullptr: no
  /// further than it was before.
  std::function<const OutputMark*()> resume{};
  /// Of who is followed: what is written to standard output goes through it where that is a pipe, by deliver().
  PipeSpool* spool = nullptr;
  /// Of who follows one that was completing its files: they may have their names already.
  bool completing = false;
};

/// What a line counts as.
enum class Line : std::uint8_t {
  main,    ///< what the output is for
  other,   ///< what goes along with it
  heading, ///< nothing
};

class Output {
public:
  /// Standard output where `path` is empty or "-". Else the file of that name, as the policy says, which outlives the
  /// output. What exists and is no regular file (a device, a FIFO) is written directly. A regular file that grows must
  /// be this user's, and nobody else may be writing it; half a line at its end is cut off. Symbolic links are followed
  /// where this user or root made them. Throws Error. `what` the lines are is said where writing fails.
  explicit Output(const std::string& path = {}, std::string what = "flows",
                  const OutputPolicy& policy = default_policy);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  /// What was written stays; a file that was made for nothing goes.
  ~Output();

  static constexpr std::size_t buffer_bytes = 256 << 10;

  /// Place for a line of at most `bytes` octets, itself at most buffer_bytes. There is always room: what comes after a
  /// failure is dropped.
  [[nodiscard]] char* claim(std::size_t bytes) noexcept {
    if (buffer_bytes - fill_ < bytes) [[unlikely]]
      write_buffer();
    return buffer_.get() + fill_;
  }

  /// Ends the line claimed last, `end` being the place after its newline.
  void commit(const char* end, Line line = Line::main) {
    fill_ = static_cast<std::size_t>(end - buffer_.get());
    marks_.push_back({fill_, line});
  }

  /// Takes a line of any length, with its newline.
  void write_line(std::string_view text, Line line = Line::main);

  /// Writes what is in the buffer. False once writing has failed.
  bool flush() noexcept;

  /// Where it goes through a spool: moves what was flushed, and noted by mark(), into the pipe. False once that has
  /// failed.
  bool deliver() noexcept;

  /// Whether nothing goes out before it is noted where who follows goes on.
  [[nodiscard]] bool waits_for_note() const noexcept { return spool_ != nullptr; }

  /// Whether what is in the buffer should go to who reads it as it is written: what is compressed waits for a second
  /// since it was flushed last, since small frames are large.
  [[nodiscard]] bool is_due() const noexcept;

  /// Of one file after another: the second in which the first one begins, once it is known.
  void begins_at(std::uint64_t second) noexcept;

  /// Of one file after another: writes all that the one at work is to have. False once writing has failed.
  bool write_rest() noexcept;

  /// Then gives it, which began at that second, its name. False where that failed. Who follows one that was doing so
  /// does it again: what was done is left as it is.
  bool complete(std::uint64_t begin_s, CompleteFile& file) noexcept;

  /// Then begins the next one. False where that failed.
  bool begin_next(std::uint64_t begin_s) noexcept;

  /// Whether somebody may be reading as it is written, so that lines should not wait in the buffer for long.
  [[nodiscard]] bool is_read_live() const noexcept { return !renames_ || names_; }

  /// Whether who follows can go on where this stopped: a regular file that grows, or one after another, or a spool.
  [[nodiscard]] bool can_resume() const noexcept { return (is_regular_ && (!renames_ || names_)) || spool_; }
  /// Where that is, once all is flushed; of a file after another, headings that open it need not be.
  [[nodiscard]] OutputMark mark() noexcept;

  /// Of a file that grows: its first line, or empty where nothing is in it.
  [[nodiscard]] const std::string& first_line() const noexcept { return first_line_; }
  /// Whether it goes on with a file of one after another, or a spool, in which something is.
  [[nodiscard]] bool goes_on() const noexcept { return (names_ && size_ > 0) || (spool_ && octets_written_ > 0); }

  /// Writes the rest, closes, and gives a file its name. False where that failed.
  bool finish() noexcept;

  [[nodiscard]] bool failed() const noexcept { return error_ != 0; }
  /// What failed, where, how many lines were written, and where they are; or empty.
  [[nodiscard]] std::string failure() const;

  /// Lines that the system took as a whole.
  [[nodiscard]] std::uint64_t lines_written(Line line = Line::main) const noexcept {
    return lines_written_[static_cast<std::size_t>(line)];
  }
  [[nodiscard]] std::uint64_t octets_written() const noexcept { return octets_written_; }
  /// How long a full disk was waited for.
  [[nodiscard]] std::uint64_t full_ns() const noexcept { return full_ns_; }

  static const OutputPolicy default_policy;

private:
  /// Where among octets a line ends.
  struct Mark {
    std::size_t end;
    Line line;
  };
  class Syncer;
  struct Compressor;

  /// Written to the file at work, where it is one after another.
  [[nodiscard]] std::uint64_t lines_of_file(Line line) const noexcept {
    return lines_written(line) - lines_before_[static_cast<std::size_t>(line)];
  }
  void open_series(const std::string& path);
  void resume_series(const OutputMark& mark);
  void write_buffer() noexcept;
  void sync_apart(const std::string& path) noexcept;
  [[nodiscard]] std::string_view compressed(std::string_view text) noexcept;
  void open_growing(const std::string& path, bool exists);
  void resume(int fd);
  void go_on_at(int fd, const OutputMark& mark);
  void begin() noexcept;
  void start_syncer() noexcept;
  void write(std::string_view octets) noexcept;
  void write_to_spool(std::string_view lines) noexcept;
  [[nodiscard]] std::size_t whole_lines(std::size_t octets) const noexcept;
  bool wait_for_room(int error) noexcept;
  void fail(int error) noexcept;

  const OutputPolicy& policy_;
  std::unique_ptr<char[]> buffer_;
  std::size_t fill_ = 0;
  std::vector<Mark> marks_;                      ///< of what is written next
  std::array<std::uint64_t, 3> lines_written_{}; ///< by Line
  std::uint64_t octets_written_ = 0;
  std::uint64_t full_ns_ = 0;
  std::string what_;
  std::string path_;       ///< the final name; empty: standard output
  std::string work_path_;  ///< while there is one
  std::string first_line_; ///< of what was there
  FileDescriptor file_;    ///< empty: standard output
  std::uint64_t size_ = 0; ///< of a regular file: where the next line begins
  bool is_regular_ = false;
  bool renames_ = false;  ///< whether it is a file that gets its name at the end
  bool is_ours_ = false;  ///< one that grows and was not there before
  bool begins_ = false;   ///< one that grows and to which nothing was written yet
  bool is_named_ = false; ///< that the disk is full has been said
  int error_ = 0;         ///< errno of what failed first
  std::unique_ptr<Syncer> syncer_;
  std::unique_ptr<Compressor> compressor_;               ///< where it is compressed
  std::uint64_t flushed_ns_ = 0;                         ///< when what is compressed was flushed last
  std::optional<NamePattern> names_;                     ///< of one file after another
  WorkTag tag_{}, next_tag_{};                           ///< the same: as in OutputMark
  unsigned number_ = 0;                                  ///< the same
  std::array<std::uint64_t, 3> lines_before_{};          ///< written to the files before this one
  std::thread closing_;                                  ///< brings the file before this one to the disk
  std::atomic<int> closing_error_{0};                    ///< errno of that
  PipeSpool* spool_ = nullptr;                           ///< where what is written goes through one
  std::vector<std::pair<std::uint64_t, Line>> in_spool_; ///< lines by their ends
};

} // namespace orbweaver
