// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/chain/chain_set.hpp"

#include <algorithm>

namespace orbweaver {

ChainSet::ChainSet(ChainChoice&& choice, std::span<const bool> ends, SharedChains shared) : choice_(std::move(choice)) {
  for (const auto& chosen : choice_.chosen()) {
    const std::uint64_t bit = std::uint64_t{1} << std::min(chosen.chain, max_chains);
    completing_ |= choice_.info(chosen).completes ? bit : 0;
    if (chosen.chain < ends.size()) {
      places_[chosen.chain] = chosen.place;
      chosen_ |= bit;
      has_ends_ |= ends[chosen.chain];
    } else {
      const auto* const object = shared[chosen.chain - ends.size()];
      shared_.push_back({object, bit, chosen.place});
      has_ends_ |= object->end != nullptr;
    }
  }
  has_more_ = chosen_ >> inline_chains != 0 || !shared_.empty();
}

} // namespace orbweaver
