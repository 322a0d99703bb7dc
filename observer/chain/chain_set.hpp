// SPDX-License-Identifier: GPL-3.0-or-later
// The chosen chains, as the flow meter runs them: a bit and a place for each chain of a list, then those of shared
// objects. Their types are known only where their hooks are called (chain_calls.hpp), so that who chooses chains, or
// meters flows, is not compiled again with each change of a chain.
#pragma once

#include "observer/chain/chain_choice.hpp"
#include "observer/chain/chain_hooks.hpp"
#include "observer/shared_chain.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// Whose "complete" ends a flow.
enum class CompleteRule : std::uint8_t {
  any,   ///< that of any chosen chain
  all,   ///< when all chosen chains that can have said so (those whose `completes` is true)
  never, ///< nobody's
};

class ChainSet {
public:
  static constexpr std::size_t max_chains = 63; ///< of a list: one bit is left for all shared chains
  using SharedChains = std::span<const SharedChain* const>;

  /// `ends` tells of each chain of the list whether it has the hook `end`; `shared` are those that `choice` has behind
  /// them. What they point to outlives the set.
  ChainSet(ChainChoice&& choice, std::span<const bool> ends, SharedChains shared);

  [[nodiscard]] const ChainChoice& choice() const noexcept { return choice_; }
  [[nodiscard]] std::uint32_t state_bytes() const noexcept { return choice_.state_bytes(); }
  [[nodiscard]] std::uint32_t needs() const noexcept { return choice_.needs(); }
  [[nodiscard]] const StreamDescription& describe() const noexcept { return choice_.stream(); }
  [[nodiscard]] bool wants_memory() const noexcept { return choice_.wants_memory(); }
  [[nodiscard]] bool has_ends() const noexcept { return has_ends_; }
  /// The chosen chains that can say complete, as bits of what ChainCalls::packet() returns.
  [[nodiscard]] std::uint64_t completing() const noexcept { return completing_; }

private:
  template <typename List>
  friend class ChainCalls;

  struct SharedPlace {
    const SharedChain* chain;
    std::uint64_t bit;
    ChainPlace place;
  };

  /// The first chains of a list are chosen most: their hooks are inline, the others' are called where there are any.
  static constexpr std::size_t inline_chains = 2;

  std::uint64_t chosen_ = 0; ///< a bit a chain of the list
  bool has_more_ = false;    ///< others than the inline ones were chosen
  bool has_ends_ = false;    ///< one of them wants to know when a flow leaves
  std::uint64_t completing_ = 0;
  std::array<ChainPlace, max_chains> places_{};
  std::vector<SharedPlace> shared_;
  ChainChoice choice_;
};

/// All chains that there are: those of the list, then the shared ones.
template <typename List>
[[nodiscard]] std::vector<ChainInfo> chains_of(ChainSet::SharedChains shared = {});

/// Chooses among them as ChainChoice does. What `shared` points to outlives the set.
template <typename List>
[[nodiscard]] ChainSet choose_chains(std::span<const std::string> requests, ChainSet::SharedChains shared = {});

struct LibraryChains; // library_chains.hpp: the list of all that come with the observer
extern template std::vector<ChainInfo> chains_of<LibraryChains>(ChainSet::SharedChains);
extern template ChainSet choose_chains<LibraryChains>(std::span<const std::string>, ChainSet::SharedChains);

} // namespace orbweaver
