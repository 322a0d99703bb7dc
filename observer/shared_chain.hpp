// SPDX-License-Identifier: GPL-3.0-or-later
// A chain that comes in a shared object: the same struct as any other chain (see chain.hpp), made into a table of
// functions, one for each class of packets. In the object, once:
//
//   ORBWEAVER_EXPORT_CHAINS(MyChain, MyOtherChain)
#pragma once

#include "common/process/shared_object.hpp"
#include "observer/chain.hpp"
#include "observer/chain/chain_hooks.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace orbweaver {

/// Changes with anything that a chain of a shared object is built against.
inline constexpr std::uint32_t chain_interface_version = 4;

/// What is known of a chain without knowing its type: made by chain_info(), from which lists and descriptions come.
struct ChainInfo {
  std::string_view name;
  std::string_view summary;
  std::uint32_t needs = 0;
  bool completes = false;        ///< its hooks may say that a flow is complete
  bool wants_context = false;    ///< flows have memory of their own where it is chosen
  std::uint32_t state_bytes = 0; ///< 0 for a state without members
  std::uint32_t state_alignment = 1;
  std::uint32_t options_bytes = 0;
  void (*make_options)(std::byte* at) = nullptr; ///< with their defaults; nullptr: it has none
  std::vector<ChainField> fields{};
  std::vector<ChainTable> tables{};
  std::vector<ChainOption> options{};
};

template <typename Chain>
ChainInfo chain_info() {
  using State = typename Chain::State;
  static_assert(std::is_trivially_copyable_v<State>, "states are copied into flow records");
  static_assert(check_hooks<Chain>());
  static_assert(has_hooks<Chain>,
                "this chain has no hook that is called: they are new_flow, ip, ip4, ip6, icmp4, icmp6, "
                "tcp, udp, l4 and end");
  static_assert((Chain::needs & ~Need::all) == 0, "this chain needs what there is not: see needs.hpp");
  static_assert(declares<std::remove_cvref_t<decltype(Chain::fields)>, FieldOf<State>>,
                "a field of another struct than the chain's State; of one that State inherits from, say "
                "field<State>(…)");
  ChainInfo info{.name = Chain::name, .summary = Chain::summary, .needs = Chain::needs};
  if constexpr (requires { Chain::completes; })
    info.completes = Chain::completes;
  info.wants_context = wants_context<Chain>;
  info.state_bytes = std::is_empty_v<State> ? 0 : std::uint32_t{sizeof(State)};
  info.state_alignment = std::uint32_t{alignof(State)};
  info.fields.assign(Chain::fields.begin(), Chain::fields.end());
  if constexpr (chain_context::HasOptions<Chain>) {
    using Options = typename Chain::Options;
    static_assert(std::is_trivially_copyable_v<Options> && alignof(Options) <= alignof(std::uint64_t));
    static_assert(declares<std::remove_cvref_t<decltype(Chain::options)>, OptionOf<Options>>,
                  "an option of another struct than the chain's Options; of one that it inherits from, say "
                  "option<Options>(…)");
    info.options_bytes = sizeof(Options);
    info.make_options = [](std::byte* at) { new (at) Options{}; };
    info.options.assign(Chain::options.begin(), Chain::options.end());
  }
  if constexpr (chain_context::HasEvents<Chain>)
    std::apply([&](const auto&... table) { (info.tables.push_back(table.described()), ...); }, Chain::events);
  return info;
}

struct SharedChain {
  using NewFlow = bool (*)(std::byte* states, PacketView packet, FlowServices& services, const ChainPlace& place);
  using Hook = bool (*)(std::byte* states, PacketView packet, bool rev, FlowServices& services,
                        const ChainPlace& place);
  using End = void (*)(std::byte* states, const FlowEnd& end, FlowServices& services, const ChainPlace& place);

  ChainInfo info;
  NewFlow new_flow;                                      ///< makes the state; false vetoes the flow
  End end;                                               ///< nullptr: it has none
  std::array<std::array<Hook, packet_classes>, 2> hooks; ///< by IP version (4, 6) and class; null: the chain has none
};

template <typename Chain, int version, PacketClass kind>
constexpr SharedChain::Hook shared_hook() {
  using ChainHooks = Hooks<Chain, version, kind>;
  if constexpr (ChainHooks::any)
    return [](std::byte* states, PacketView packet, bool rev, FlowServices& services, const ChainPlace& place) {
      return ChainHooks::call(states, packet, rev, services, place);
    };
  else
    return nullptr;
}

template <typename Chain>
SharedChain shared_chain() {
  const auto hooks_of = []<int version, std::size_t... kind>(std::index_sequence<kind...>) {
    return std::array{shared_hook<Chain, version, static_cast<PacketClass>(kind)>()...};
  };
  constexpr auto kinds = std::make_index_sequence<packet_classes>{};
  SharedChain chain{.info = chain_info<Chain>(),
                    .new_flow = begin_state<Chain>,
                    .end = nullptr,
                    .hooks = {hooks_of.template operator()<4>(kinds), hooks_of.template operator()<6>(kinds)}};
  if constexpr (has_end<Chain>)
    chain.end = end_state<Chain>;
  return chain;
}

template <typename... Chains>
SharedTable shared_chain_table() {
  static const std::array chains{shared_chain<Chains>()...};
  return {chain_interface_version, static_cast<std::uint32_t>(chains.size()), chains.data()};
}

} // namespace orbweaver

#define ORBWEAVER_EXPORT_CHAINS(...)                                                                                   \
  extern "C" {                                                                                                         \
  [[gnu::visibility("default")]] extern const orbweaver::SharedTable orbweaver_chains;                                 \
  const orbweaver::SharedTable orbweaver_chains = orbweaver::shared_chain_table<__VA_ARGS__>();                        \
  }
