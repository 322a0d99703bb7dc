// SPDX-License-Identifier: GPL-3.0-or-later
// All that is compiled once a chain of the library changes.
#include "observer/chain/library_chains.hpp"
#include "observer/flows/flow_meter_impl.hpp"

namespace orbweaver {

template std::vector<ChainInfo> chains_of<LibraryChains>(ChainSet::SharedChains);
template ChainSet choose_chains<LibraryChains>(std::span<const std::string>, ChainSet::SharedChains);
template class BasicFlowMeter<LibraryChains>;

} // namespace orbweaver
