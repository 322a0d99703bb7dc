// SPDX-License-Identifier: GPL-3.0-or-later
#include "ttl_chain.hpp"

ORBWEAVER_EXPORT_CHAINS(TtlChain)
