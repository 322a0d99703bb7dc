// SPDX-License-Identifier: GPL-3.0-or-later
// The checksum of recorded files. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

/// XXH3 (64 bits, no seed) of these octets: finds what was altered by accident, not what somebody forged.
[[nodiscard]] std::uint64_t checksum(std::span<const std::byte> octets) noexcept;

} // namespace orbweaver
