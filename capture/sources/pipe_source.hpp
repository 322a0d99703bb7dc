// SPDX-License-Identifier: GPL-3.0-or-later
// A capture that arrives through a pipe, of which not even the first octets may be there yet: tcpdump writes them when
// its buffer fills. Owned by the capture stage's thread.
#pragma once

#include "capture/sources/capture_reader.hpp"

#include <memory>

namespace orbweaver {

/// Is idle until the first octets tell what the capture is, then reads as the reader for it does. It may be compressed.
class PipeSource final : public Source {
public:
  PipeSource(std::unique_ptr<Input> input, std::uint32_t snap_length)
      : input_(std::move(input)), snap_length_(snap_length) {}

  Result read(std::span<Frame> out) noexcept override;
  std::uint64_t position_octets() const noexcept override { return reader_ ? reader_->position_octets() : 0; }
  std::uint64_t size_octets() const noexcept override { return reader_ ? reader_->size_octets() : 0; }
  std::uint64_t skipped() const noexcept override { return reader_ ? reader_->skipped() : 0; }
  std::string warning() const override { return reader_ ? reader_->warning() : std::string(); }

private:
  [[nodiscard]] Result begin() noexcept;

  std::unique_ptr<Input> input_; // until there is a reader
  std::unique_ptr<Source> reader_;
  bool decompresses_ = false;
  std::uint32_t snap_length_;
};

} // namespace orbweaver
