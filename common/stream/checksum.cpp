// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orbweaver {

std::uint64_t checksum(std::span<const std::byte> octets) noexcept {
  return XXH3_64bits(octets.data(), octets.size());
}

} // namespace orbweaver
