// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flow_meter_impl.hpp"

namespace orbweaver {

template class BasicChainSet<LibraryChains>;
template class BasicFlowMeter<ChainSet>;

} // namespace orbweaver
