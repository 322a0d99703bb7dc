// SPDX-License-Identifier: GPL-3.0-or-later
// A file that somebody still writes: at its end it is idle, until it is told that nothing will come any more. Owned by
// the reader of a followed series, in its thread.
#pragma once

#include "capture/sources/input.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace orbweaver {

class GrowingInput final : public BufferedInput {
public:
  /// Takes the descriptor of a regular file, at its beginning.
  GrowingInput(int descriptor, std::string name) : BufferedInput(std::move(name)), descriptor_(descriptor) {}
  ~GrowingInput() override;

  /// What it has now is all: it ends behind that.
  void complete() noexcept { complete_ = true; }

  /// Whether its writer began it anew: it is shorter than what was read of it, or begins with other octets.
  [[nodiscard]] bool begun_anew() const noexcept;

private:
  static constexpr std::size_t head_octets = 64; // a file header and the first packet's

  More fill(std::uint8_t* at, std::size_t room, std::size_t& filled) noexcept override;

  int descriptor_;
  std::uint64_t read_ = 0;
  std::array<std::uint8_t, head_octets> head_{};
  bool complete_ = false;
  bool at_end_ = false;
};

} // namespace orbweaver
