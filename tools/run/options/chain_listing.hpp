// SPDX-License-Identifier: GPL-3.0-or-later
// What `orbweaver observe --list-chains` prints: every chain with its options, its fields and its events. No state.
#pragma once

#include "common/process/options/chain_list.hpp"

#include <span>
#include <string>

namespace orbweaver {

/// For reading: a chain a paragraph, a field a line, as wide as it has to be.
[[nodiscard]] std::string chain_listing(std::span<const ChainDescription> chains);

/// For programs: a JSON array, an object a chain.
[[nodiscard]] std::string chain_listing_json(std::span<const ChainDescription> chains);

} // namespace orbweaver
