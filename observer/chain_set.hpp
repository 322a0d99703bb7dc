// SPDX-License-Identifier: GPL-3.0-or-later
// The chosen chains at work: the calls of their hooks. No virtual calls: every chain of the list is compiled in, and a
// bit says whether it was chosen. Chains of shared objects come after them, by a pointer for each class of packets.
#pragma once

#include "common/stream/packet_record.hpp"
#include "observer/chain_choice.hpp"
#include "observer/chain_hooks.hpp"
#include "observer/library_chains.hpp"
#include "observer/shared_chain.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace orbweaver {

/// Whose "complete" ends a flow.
enum class CompleteRule : std::uint8_t {
  any,   ///< that of any chosen chain
  all,   ///< when all chosen chains that can have said so (those whose `completes` is true)
  never, ///< nobody's
};

template <typename List>
class BasicChainSet;

template <typename... Chains>
class BasicChainSet<ChainList<Chains...>> {
public:
  static constexpr std::size_t chain_count = sizeof...(Chains);
  static_assert(chain_count < 64);
  using SharedChains = std::span<const SharedChain* const>;

  /// All chains that there are: those of the list, then the shared ones.
  [[nodiscard]] static std::vector<ChainInfo> library(SharedChains shared = {}) {
    std::vector<ChainInfo> chains{chain_info<Chains>()...};
    for (const auto* chain : shared)
      chains.push_back(chain->info);
    return chains;
  }

  /// Chooses chains as ChainChoice does. What `shared` points to outlives the set.
  static BasicChainSet choose(std::span<const std::string> requests, SharedChains shared = {});

  [[nodiscard]] const ChainChoice& choice() const noexcept { return choice_; }
  [[nodiscard]] std::uint32_t state_bytes() const noexcept { return choice_.state_bytes(); }
  [[nodiscard]] std::uint32_t needs() const noexcept { return choice_.needs(); }
  [[nodiscard]] const StreamDescription& describe() const noexcept { return choice_.stream(); }
  [[nodiscard]] bool wants_memory() const noexcept { return choice_.wants_memory(); }
  [[nodiscard]] bool has_ends() const noexcept { return has_ends_; }

  /// Makes the states of a new flow; false where a chain vetoes it. All states are made all the same.
  bool new_flow(std::byte* states, PacketView packet, FlowServices& services) const noexcept {
    bool keep = true;
    for_each([&]<typename Chain>(std::type_identity<Chain>, const ChainPlace& place) {
      keep &= begin_state<Chain>(states, packet, services, place);
    });
    for (const auto& [chain, bit, place] : shared_)
      keep &= chain->new_flow(states, packet, services, place);
    return keep;
  }

  /// Runs the hooks that the packet calls for. Returns the chains that say that the flow is complete, a bit each: by
  /// their place among all that there are.
  [[gnu::always_inline]] std::uint64_t packet(std::byte* states, PacketView packet, bool rev,
                                              FlowServices& services) const noexcept {
    if (packet->key.version == 4)
      return packet_of<4>(states, packet, rev, services);
    return packet_of<6>(states, packet, rev, services);
  }

  /// Tells the chains that a flow leaves.
  void end(std::byte* states, const FlowEnd& end, FlowServices& services) const noexcept {
    for_each([&]<typename Chain>(std::type_identity<Chain>, const ChainPlace& place) {
      if constexpr (has_end<Chain>)
        end_state<Chain>(states, end, services, place);
    });
    for (const auto& [chain, bit, place] : shared_)
      if (chain->end)
        chain->end(states, end, services, place);
  }

  /// The chosen chains that can say complete, as bits of packet().
  [[nodiscard]] std::uint64_t completing() const noexcept { return completing_; }

private:
  explicit BasicChainSet(ChainChoice&& choice) : choice_(std::move(choice)) {}

  template <int version>
  [[gnu::always_inline]] std::uint64_t packet_of(std::byte* states, PacketView packet, bool rev,
                                                 FlowServices& services) const noexcept {
    switch (class_of<version>(packet)) {
    case PacketClass::tcp:
      return hooks<version, PacketClass::tcp>(states, packet, rev, services);
    case PacketClass::udp:
      return hooks<version, PacketClass::udp>(states, packet, rev, services);
    case PacketClass::cut_off:
      return hooks<version, PacketClass::cut_off>(states, packet, rev, services);
    case PacketClass::other:
      return hooks<version, PacketClass::other>(states, packet, rev, services);
    case PacketClass::icmp:
      return hooks<version, PacketClass::icmp>(states, packet, rev, services);
    case PacketClass::icmp_error:
      break;
    }
    return hooks<version, PacketClass::icmp_error>(states, packet, rev, services);
  }

  /// Runs a class's hooks. Those of the first chains of the list, which are chosen most, are inline; the others are
  /// only looked at where there are any: `basic tcp` takes 40 instructions a packet and not 75.
  template <int version, PacketClass kind>
  [[gnu::always_inline]] std::uint64_t hooks(std::byte* states, PacketView packet, bool rev,
                                             FlowServices& services) const noexcept {
    std::uint64_t done =
        hooks_of<version, kind, 0>(std::make_index_sequence<inline_chains>{}, states, packet, rev, services);
    if (has_more_)
      done |= more_hooks<version, kind>(states, packet, rev, services);
    return done;
  }

  template <int version, PacketClass kind>
  [[gnu::noinline]] std::uint64_t more_hooks(std::byte* states, PacketView packet, bool rev,
                                             FlowServices& services) const noexcept {
    std::uint64_t done = hooks_of<version, kind, inline_chains>(std::make_index_sequence<chain_count - inline_chains>{},
                                                                states, packet, rev, services);
    for (const auto& [chain, bit, place] : shared_)
      if (const auto hook = chain->hooks[version == 6][static_cast<std::size_t>(kind)])
        done |= hook(states, packet, rev, services, place) ? 0 : bit;
    return done;
  }

  /// Of the chains from place `first` on. One that has no hook for the class is not even asked whether it was chosen.
  template <int version, PacketClass kind, std::size_t first, std::size_t... place>
  [[gnu::always_inline]] std::uint64_t hooks_of(std::index_sequence<place...>, [[maybe_unused]] std::byte* states,
                                                [[maybe_unused]] PacketView packet, [[maybe_unused]] bool rev,
                                                [[maybe_unused]] FlowServices& services) const noexcept {
    std::uint64_t done = 0;
    [[maybe_unused]] const auto run = [&]<std::size_t at>(std::integral_constant<std::size_t, at>) {
      using Chain = std::tuple_element_t<at, std::tuple<Chains...>>;
      using ChainHooks = Hooks<Chain, version, kind>;
      if constexpr (ChainHooks::any)
        if (chosen_ >> at & 1)
          if (!ChainHooks::call(states, packet, rev, services, places_[at])) [[unlikely]]
            done |= std::uint64_t{1} << at;
    };
    (run(std::integral_constant<std::size_t, first + place>{}), ...);
    return done;
  }

  /// Calls `visit` for each chosen chain of the list.
  template <typename Visit>
  void for_each(Visit&& visit) const noexcept {
    std::size_t at = 0;
    ((chosen_ >> at & 1 ? visit(std::type_identity<Chains>{}, places_[at]) : void(), ++at), ...);
  }

  static constexpr std::size_t inline_chains = std::min<std::size_t>(chain_count, 2);

  std::uint64_t chosen_ = 0; ///< a bit a chain of the list
  bool has_more_ = false;    ///< others than the inline ones were chosen
  bool has_ends_ = false;    ///< one of them wants to know when a flow leaves
  std::uint64_t completing_ = 0;
  std::array<ChainPlace, chain_count> places_{};

  struct SharedPlace {
    const SharedChain* chain;
    std::uint64_t bit;
    ChainPlace place;
  };
  std::vector<SharedPlace> shared_;
  ChainChoice choice_;
};

template <typename... Chains>
BasicChainSet<ChainList<Chains...>> BasicChainSet<ChainList<Chains...>>::choose(std::span<const std::string> requests,
                                                                                SharedChains shared) {
  BasicChainSet set{ChainChoice(library(shared), requests)};
  constexpr std::array<bool, chain_count> ends{has_end<Chains>...};
  for (const auto& chosen : set.choice_.chosen()) {
    const std::uint64_t bit = std::uint64_t{1} << std::min<std::size_t>(chosen.chain, 63);
    set.completing_ |= set.choice_.info(chosen).completes ? bit : 0;
    if (chosen.chain < chain_count) {
      set.places_[chosen.chain] = chosen.place;
      set.chosen_ |= bit;
      set.has_ends_ |= ends[chosen.chain];
    } else {
      const auto* const object = shared[chosen.chain - chain_count];
      set.shared_.push_back({object, bit, chosen.place});
      set.has_ends_ |= object->end != nullptr;
    }
  }
  set.has_more_ = (set.chosen_ >> inline_chains) != 0 || !set.shared_.empty();
  return set;
}

using ChainSet = BasicChainSet<LibraryChains>;
extern template class BasicChainSet<LibraryChains>; // in flow_meter.cpp, beside the meter that calls it

} // namespace orbweaver
