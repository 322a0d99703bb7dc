// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/find_chains.hpp"

#include <algorithm>
#include <spdlog/spdlog.h>

namespace orbweaver {

std::string check_shared_chain(const SharedChain& chain, std::span<const ChainInfo> others) {
  constexpr std::size_t longest_chain = sizeof(FieldDescriptor::chain) - 1;
  constexpr std::size_t longest_field = sizeof(FieldDescriptor::name) - 1;
  if (chain.name.empty() || chain.name.size() > longest_chain)
    return "its name has to have 1 to " + std::to_string(longest_chain) + " characters";
  if (std::ranges::find(others, chain.name, &ChainInfo::name) != others.end())
    return "there is a chain of that name already";
  if (chain.state_alignment > alignof(std::uint64_t))
    return "its state is aligned to " + std::to_string(chain.state_alignment) + " octets, 8 is the most";
  for (const auto& field : chain.fields) {
    if (field.name.empty() || field.name.size() > longest_field)
      return "the name of a field has to have 1 to " + std::to_string(longest_field) + " characters";
    const std::uint32_t size = field_size(field.type);
    if (size == 0 || field.in_core || field.offset > chain.state_bytes || size > chain.state_bytes - field.offset)
      return "its field '" + std::string(field.name) + "' lies outside of its state";
  }
  return {};
}

std::vector<const SharedChain*> find_shared_chains() {
  std::vector<const SharedChain*> found;
  auto all = ChainSet::library();
  for (const auto& [table, origin] : find_shared_tables("orbweaver_chains")) {
    const auto* const chains = static_cast<const SharedChain*>(table->entries);
    for (const auto& chain : std::span(chains, table->count)) {
      if (const auto why = check_shared_chain(chain, all); !why.empty()) {
        spdlog::warn("left out: chain '{}' of {}: {}", chain.name, origin, why);
        continue;
      }
      all.push_back({chain.name, chain.summary, chain.needs, chain.fields});
      found.push_back(&chain);
    }
  }
  return found;
}

} // namespace orbweaver
