// SPDX-License-Identifier: GPL-3.0-or-later
// Several inputs as one source: their frames in the order of time, as mergecap has it. Of each input it compares the
// frame that is next, so that one whose times step back keeps its own order; of equal times the input that was named
// last goes first. An input that fails is named, and the others go on. Owned by the capture stage's thread.
//
// Files whose time has not come need neither a descriptor nor memory: once their first frame's time is known, those
// that are too many to stay open are closed, and opened again when it is their turn.
#pragma once

#include "capture/sources/source.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace orbweaver {

class MergedSource final : public Source {
public:
  using Say = std::function<void(const std::string&)>;

  struct Part {
    std::string name;
    std::function<std::unique_ptr<Source>()> open; ///< throws Error
    bool of_folder = false;                        ///< what is no capture is passed over
    bool is_file = true;                           ///< a regular file: it may be closed and opened again
    std::uint64_t octets = 0;                      ///< of the file
  };
  /// Who is told, while it runs: of an input that failed, and of what else somebody should know.
  struct Voices {
    Say error, warn;
  };

  /// Opens all, and reads the first frames of files. So many that stay open beforehand may be mapped files; those that
  /// take a decompressor's memory weigh more. Throws Error where not one can be opened.
  MergedSource(std::vector<Part> parts, Voices voices, std::size_t open_beforehand);

  Result read(std::span<Frame> out) noexcept override;
  std::uint64_t skipped() const noexcept override;
  std::uint64_t position_octets() const noexcept override;
  std::uint64_t size_octets() const noexcept override { return size_octets_; }
  std::string failures() const override;
  std::vector<std::string> paths_to_come() const override;

private:
  struct Input {
    Part part;
    std::unique_ptr<Source> source; ///< none: not open now
    std::vector<Frame> frames{};    ///< at hand, from `at` to `count`
    std::size_t at = 0, count = 0;
    std::uint64_t next_ns = 0; ///< the next frame's time, also of one that is not open
    bool done = false;
  };
  /// Of those whose next frame is known: earliest first, of equal times the one that was named last.
  struct Turn {
    std::uint64_t time_ns;
    std::size_t index;
    [[nodiscard]] bool operator<(const Turn& other) const noexcept {
      return time_ns != other.time_ns ? time_ns < other.time_ns : index > other.index;
    }
  };
  /// The order that keeps the next one in front of a heap.
  struct Later {
    bool operator()(const Turn& a, const Turn& b) const noexcept { return b < a; }
  };
  enum class Filled : std::uint8_t { frames, idle, nothing };

  void open_first(std::size_t index, std::vector<std::string>& no_captures, std::size_t& weight, std::size_t most);
  [[nodiscard]] bool open(Input& input) noexcept;
  [[nodiscard]] Filled fill(Input& input) noexcept;
  void end(Input& input) noexcept;
  void fail_input(Input& input, const std::string& why) noexcept;
  void add_turn(std::size_t index) noexcept;
  [[nodiscard]] Turn take_turn() noexcept;
  void drop_lost() noexcept;
  [[nodiscard]] bool fill_hungry() noexcept;

  std::vector<Input> inputs_;
  Voices voices_;
  std::vector<Turn> turns_;         ///< a heap, the next one in front
  std::vector<std::size_t> hungry_; ///< those that have no frame at hand, and may have more
  std::vector<std::string> failed_; ///< their names
  std::uint64_t size_octets_ = 0;
  std::uint64_t done_octets_ = 0;  ///< of files that were read
  std::uint64_t done_skipped_ = 0; ///< frames of theirs
};

} // namespace orbweaver
