// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/chain/find_chains.hpp"

#include "observer/chain/chain_set.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace orbweaver {

std::string check_shared_chain(const SharedChain& chain, std::span<const ChainInfo> others) {
  if (std::ranges::find(others, chain.info.name, &ChainInfo::name) != others.end())
    return "there is a chain of that name already";
  return check_chain(chain.info);
}

std::vector<const SharedChain*> find_shared_chains() {
  std::vector<const SharedChain*> found;
  auto all = chains_of<LibraryChains>();
  for (const auto& [table, origin] : find_shared_tables("orbweaver_chains", chain_interface_version)) {
    const auto* const chains = static_cast<const SharedChain*>(table->entries);
    for (const auto& chain : std::span(chains, table->count)) {
      if (const auto why = check_shared_chain(chain, all); !why.empty()) {
        spdlog::warn("left out: chain '{}' of {}: {}", chain.info.name, origin, why);
        continue;
      }
      all.push_back(chain.info);
      found.push_back(&chain);
    }
  }
  return found;
}

} // namespace orbweaver
