// SPDX-License-Identifier: GPL-3.0-or-later
// Why a filter lets nothing pass: "tcp port 80" is no word of frames that are tagged. The frames that did not pass are
// tried with the same filter behind tags ("vlan and (tcp port 80)"), so that what is suggested is known to match. Some
// thousand frames at the most; used on the capture stage's thread.
#pragma once

#include "capture/sources/source.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <pcap/bpf.h>
#include <string>

namespace orbweaver {

class FilterHint {
public:
  explicit FilterHint(std::string expression);
  ~FilterHint();
  FilterHint(const FilterHint&) = delete;
  FilterHint& operator=(const FilterHint&) = delete;

  /// A frame that did not pass; later ones than the first some thousand are not looked at.
  void look_at(const Frame& frame) noexcept {
    if (looked_at_ < most_frames) [[unlikely]]
      try_behind_tags(frame);
  }

  /// Of a filter that let none of `packets` pass: one line that says so, and with which filter some of those that were
  /// looked at would pass, if that is behind tags.
  [[nodiscard]] std::string text(std::uint64_t packets) const;

private:
  static constexpr std::uint32_t most_frames = 4096;
  static constexpr std::size_t ways = 6;

  void try_behind_tags(const Frame& frame) noexcept;

  struct Way {
    std::string expression;
    std::array<std::unique_ptr<bpf_program>, link_types> programs{}; ///< nothing where it has no meaning
    std::uint32_t matches = 0;
  };
  std::string expression_;
  std::array<Way, ways> ways_;
  std::uint32_t looked_at_ = 0;
};

} // namespace orbweaver
