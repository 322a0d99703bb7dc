// SPDX-License-Identifier: GPL-3.0-or-later
// Which kinds of tunnel are taken off: what --decapsulate says. Values; any thread.
#pragma once

#include "common/stream/records/packet_blocks.hpp"

#include <cstdint>
#include <string_view>

namespace orbweaver {

class TunnelSet {
public:
  constexpr TunnelSet() noexcept = default;
  [[nodiscard]] static constexpr TunnelSet all() noexcept {
    TunnelSet set;
    set.bits_ = ~std::uint32_t{1};
    return set;
  }
  /// Reads "gre,vxlan" or "all". Throws UsageError for a name that is no kind's.
  [[nodiscard]] static TunnelSet parse(std::string_view text);

  constexpr void add(TunnelKind kind) noexcept { bits_ |= bit(kind); }
  [[nodiscard]] constexpr bool has(TunnelKind kind) const noexcept { return bits_ & bit(kind); }
  [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }

private:
  static constexpr std::uint32_t bit(TunnelKind kind) noexcept { return 1U << static_cast<unsigned>(kind); }
  std::uint32_t bits_ = 0;
};

} // namespace orbweaver
