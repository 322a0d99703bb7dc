// SPDX-License-Identifier: GPL-3.0-or-later
// All that is compiled once a chain of the library changes.
#include "observer/flow_meter_impl.hpp"
#include "observer/library_chains.hpp"

namespace orbweaver {

template std::vector<ChainInfo> chains_of<LibraryChains>(ChainSet::SharedChains);
template ChainSet choose_chains<LibraryChains>(std::span<const std::string>, ChainSet::SharedChains);
template class BasicFlowMeter<LibraryChains>;

} // namespace orbweaver
