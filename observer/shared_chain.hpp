// SPDX-License-Identifier: GPL-3.0-or-later
// A chain that comes in a shared object: the same struct as any other chain (see chain.hpp), made into a table of
// functions, one for each class of packets. In the object, once:
//
//   ORBWEAVER_EXPORT_CHAINS(MyChain, MyOtherChain)
#pragma once

#include "common/process/shared_object.hpp"
#include "observer/chain.hpp"
#include "observer/chain_hooks.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace orbweaver {

struct SharedChain {
  using NewFlow = bool (*)(std::byte* state, PacketView packet);
  using Hook = bool (*)(std::byte* state, PacketView packet, bool rev);

  std::string_view name;
  std::string_view summary;
  std::uint32_t needs;
  std::uint32_t state_bytes; ///< 0 for a state without members
  std::uint32_t state_alignment;
  std::span<const ChainField> fields;
  NewFlow new_flow;                                      ///< makes the state; false vetoes the flow
  std::array<std::array<Hook, packet_classes>, 2> hooks; ///< by IP version (4, 6) and class; null: the chain has none
};

template <typename Chain, int version, PacketClass kind>
constexpr SharedChain::Hook shared_hook() {
  using ChainHooks = Hooks<Chain, version, kind>;
  if constexpr (ChainHooks::any)
    return [](std::byte* state, PacketView packet, bool rev) {
      return ChainHooks::call(*std::launder(reinterpret_cast<typename Chain::State*>(state)), packet, rev);
    };
  else
    return nullptr;
}

template <typename Chain>
SharedChain shared_chain() {
  using State = typename Chain::State;
  static_assert(std::is_trivially_copyable_v<State>, "states are copied into flow records");
  const auto hooks_of = []<int version, std::size_t... kind>(std::index_sequence<kind...>) {
    return std::array{shared_hook<Chain, version, static_cast<PacketClass>(kind)>()...};
  };
  constexpr auto kinds = std::make_index_sequence<packet_classes>{};
  return {
      .name = Chain::name,
      .summary = Chain::summary,
      .needs = Chain::needs,
      .state_bytes = std::is_empty_v<State> ? 0 : std::uint32_t{sizeof(State)},
      .state_alignment = std::uint32_t{alignof(State)},
      .fields = Chain::fields,
      .new_flow =
          [](std::byte* memory, PacketView packet) {
            auto& state = *new (memory) State{};
            if constexpr (requires { Chain::new_flow(state, packet); })
              return Chain::new_flow(state, packet);
            else
              return static_cast<void>(state), true;
          },
      .hooks = {hooks_of.template operator()<4>(kinds), hooks_of.template operator()<6>(kinds)},
  };
}

template <typename... Chains>
SharedTable shared_chain_table() {
  static const std::array chains{shared_chain<Chains>()...};
  return {plugin_interface_version, static_cast<std::uint32_t>(chains.size()), chains.data()};
}

} // namespace orbweaver

#define ORBWEAVER_EXPORT_CHAINS(...)                                                                                   \
  extern "C" {                                                                                                         \
  [[gnu::visibility("default")]] extern const orbweaver::SharedTable orbweaver_chains;                                 \
  const orbweaver::SharedTable orbweaver_chains = orbweaver::shared_chain_table<__VA_ARGS__>();                        \
  }
