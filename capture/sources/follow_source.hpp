// SPDX-License-Identifier: GPL-3.0-or-later
// --follow: reads a file that is still written as it grows, and then the next of its series, one after the other, until
// it is asked to end. A file is complete when another one of the series has a packet: its writer has closed it by then.
// Owned by the capture stage's thread.
#pragma once

#include "capture/sources/followed_series.hpp"
#include "capture/sources/growing_input.hpp"
#include "capture/sources/merged_source.hpp"
#include "capture/sources/source.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

class FollowSource final : public Source {
public:
  struct Waits {
    unsigned pause_ms = 100; ///< where there is nothing to read
    unsigned look_ms = 500;  ///< between two looks for another file
  };

  /// `given`: as FollowedSeries has it. Throws Error.
  FollowSource(std::string given, std::uint32_t snap_length, MergedSource::Voices voices, Waits waits);

  Result read(std::span<Frame> out) noexcept override;
  std::uint64_t skipped() const noexcept override { return skipped_ + (reader_ ? reader_->skipped() : 0); }
  std::string failures() const override;
  std::string warning() const override { return reader_ ? reader_->warning() : std::string(); }
  std::vector<std::string> paths_to_come() const override { return {series_.folder()}; }

private:
  [[nodiscard]] bool open_next() noexcept;
  void look_for_end() noexcept;
  void leave(const std::string& error) noexcept;
  void look() noexcept;
  void pause() const noexcept;

  std::string given_;
  FollowedSeries series_;
  std::uint32_t snap_length_;
  MergedSource::Voices voices_;
  Waits waits_;
  std::string path_; ///< that is read
  std::unique_ptr<Source> reader_;
  GrowingInput* input_ = nullptr; ///< of the reader, as long as that can be read
  bool completing_ = false;
  std::optional<SeriesFile> next_;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t skipped_ = 0; ///< in files that were read
  std::vector<std::string> failed_;
};

} // namespace orbweaver
