// SPDX-License-Identifier: GPL-3.0-or-later
// The calls of the chosen chains' hooks. No virtual calls: every chain of the list is compiled in, and a bit says
// whether it was chosen. Chains of shared objects come after them, by a pointer for each class of packets.
#pragma once

#include "common/stream/records/packet_record.hpp"
#include "observer/chain/chain_set.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

namespace orbweaver {

/// A list of chains is a struct that has this as its base.
template <typename... Chains>
struct ChainList {
  using Tuple = std::tuple<Chains...>;
  static constexpr std::size_t size = sizeof...(Chains);
  static_assert(size <= ChainSet::max_chains);

  [[nodiscard]] static std::vector<ChainInfo> infos() { return {chain_info<Chains>()...}; }
  static constexpr std::array<bool, size> ends{has_end<Chains>...};
};

/// Of a set that was chosen from that list.
template <typename List>
class ChainCalls {
public:
  /// Makes the states of a new flow; false where a chain vetoes it. All states are made all the same.
  static bool new_flow(const ChainSet& set, std::byte* states, PacketView packet, FlowServices& services) noexcept {
    bool keep = true;
    for_each(set, [&]<typename Chain>(std::type_identity<Chain>, const ChainPlace& place) {
      keep &= begin_state<Chain>(states, packet, services, place);
    });
    for (const auto& [chain, bit, place] : set.shared_)
      keep &= chain->new_flow(states, packet, services, place);
    return keep;
  }

  /// Runs the hooks that the packet calls for. Returns the chains that say that the flow is complete, a bit each: by
  /// their place among all that there are.
  [[gnu::always_inline]] static std::uint64_t packet(const ChainSet& set, std::byte* states, PacketView packet,
                                                     bool rev, FlowServices& services) noexcept {
    if (packet->key.version == 4)
      return packet_of<4>(set, states, packet, rev, services);
    return packet_of<6>(set, states, packet, rev, services);
  }

  /// Tells the chains that a flow leaves.
  static void end(const ChainSet& set, std::byte* states, const FlowEnd& end, FlowServices& services) noexcept {
    for_each(set, [&]<typename Chain>(std::type_identity<Chain>, const ChainPlace& place) {
      if constexpr (has_end<Chain>)
        end_state<Chain>(states, end, services, place);
    });
    for (const auto& [chain, bit, place] : set.shared_)
      if (chain->end)
        chain->end(states, end, services, place);
  }

private:
  static constexpr std::size_t inline_chains = std::min(List::size, ChainSet::inline_chains);

  template <int version>
  [[gnu::always_inline]] static std::uint64_t packet_of(const ChainSet& set, std::byte* states, PacketView packet,
                                                        bool rev, FlowServices& services) noexcept {
    switch (class_of<version>(packet)) {
    case PacketClass::tcp:
      return hooks<version, PacketClass::tcp>(set, states, packet, rev, services);
    case PacketClass::udp:
      return hooks<version, PacketClass::udp>(set, states, packet, rev, services);
    case PacketClass::cut_off:
      return hooks<version, PacketClass::cut_off>(set, states, packet, rev, services);
    case PacketClass::other:
      return hooks<version, PacketClass::other>(set, states, packet, rev, services);
    case PacketClass::icmp:
      return hooks<version, PacketClass::icmp>(set, states, packet, rev, services);
    case PacketClass::icmp_error:
      break;
    }
    return hooks<version, PacketClass::icmp_error>(set, states, packet, rev, services);
  }

  /// Runs a class's hooks. Those of the first chains of the list are inline; the others are only looked at where there
  /// are any: `basic tcp` takes 40 instructions a packet and not 75.
  template <int version, PacketClass kind>
  [[gnu::always_inline]] static std::uint64_t hooks(const ChainSet& set, std::byte* states, PacketView packet, bool rev,
                                                    FlowServices& services) noexcept {
    const std::uint64_t done =
        hooks_of<version, kind, 0>(std::make_index_sequence<inline_chains>{}, set, states, packet, rev, services, 0);
    return set.has_more_ ? more_hooks<version, kind>(set, states, packet, rev, services, done) : done;
  }

  template <int version, PacketClass kind>
  [[gnu::noinline]] static std::uint64_t more_hooks(const ChainSet& set, std::byte* states, PacketView packet, bool rev,
                                                    FlowServices& services, std::uint64_t done) noexcept {
    done = hooks_of<version, kind, inline_chains>(std::make_index_sequence<List::size - inline_chains>{}, set, states,
                                                  packet, rev, services, done);
    for (const auto& [chain, bit, place] : set.shared_)
      if (const auto hook = chain->hooks[version == 6][static_cast<std::size_t>(kind)])
        done |= hook(states, packet, rev, services, place) ? 0 : bit;
    return done;
  }

  /// Of the chains from place `first` on. One that has no hook for the class is not even asked whether it was chosen.
  template <int version, PacketClass kind, std::size_t first, std::size_t... place>
  [[gnu::always_inline]] static std::uint64_t
  hooks_of(std::index_sequence<place...>, [[maybe_unused]] const ChainSet& set, [[maybe_unused]] std::byte* states,
           [[maybe_unused]] PacketView packet, [[maybe_unused]] bool rev, [[maybe_unused]] FlowServices& services,
           std::uint64_t done) noexcept {
    [[maybe_unused]] const std::uint64_t chosen = set.chosen_; // states are written in between
    [[maybe_unused]] const auto run = [&]<std::size_t at>(std::integral_constant<std::size_t, at>) {
      using Chain = std::tuple_element_t<at, typename List::Tuple>;
      using ChainHooks = Hooks<Chain, version, kind>;
      if constexpr (ChainHooks::any)
        if (chosen >> at & 1)
          if (!ChainHooks::call(states, packet, rev, services, set.places_[at])) [[unlikely]]
            done |= std::uint64_t{1} << at;
    };
    (run(std::integral_constant<std::size_t, first + place>{}), ...);
    return done;
  }

  /// Calls `visit` for each chosen chain of the list.
  template <typename Visit>
  static void for_each(const ChainSet& set, Visit&& visit) noexcept {
    [&]<typename... Chains>(std::type_identity<std::tuple<Chains...>>) {
      std::size_t at = 0;
      ((set.chosen_ >> at & 1 ? visit(std::type_identity<Chains>{}, set.places_[at]) : void(), ++at), ...);
    }(std::type_identity<typename List::Tuple>{});
  }
};

template <typename List>
std::vector<ChainInfo> chains_of(ChainSet::SharedChains shared) {
  auto chains = List::infos();
  for (const auto* chain : shared)
    chains.push_back(chain->info);
  return chains;
}

template <typename List>
ChainSet choose_chains(std::span<const std::string> requests, ChainSet::SharedChains shared) {
  return {ChainChoice(chains_of<List>(shared), requests), List::ends, shared};
}

} // namespace orbweaver
