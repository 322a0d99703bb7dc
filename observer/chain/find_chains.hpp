// SPDX-License-Identifier: GPL-3.0-or-later
// The chains of shared objects that the observer can use.
#pragma once

#include "observer/shared_chain.hpp"

#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// Why a chain of a shared object cannot be used (a name that is taken or too long, a field outside of its state), or
/// an empty string.
[[nodiscard]] std::string check_shared_chain(const SharedChain& chain, std::span<const ChainInfo> others);

/// All chains of shared objects that can be used; a warning names each that cannot. They stay for good.
[[nodiscard]] std::vector<const SharedChain*> find_shared_chains();

} // namespace orbweaver
