// SPDX-License-Identifier: GPL-3.0-or-later
// The chosen chains: where their states lie in a flow, their fields, and the calls of their hooks. No virtual calls:
// every chain of the list is compiled in, and a bit says whether it was chosen. Chains of shared objects come after
// them, by a pointer for each class of packets.
#pragma once

#include "common/error.hpp"
#include "common/process/chain_list.hpp"
#include "common/stream/packet_record.hpp"
#include "common/stream/stream_header.hpp"
#include "observer/chain.hpp"
#include "observer/chain_hooks.hpp"
#include "observer/library_chains.hpp"
#include "observer/shared_chain.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace orbweaver {

/// What `--describe-chains` says of a chain.
struct ChainInfo {
  std::string_view name;
  std::string_view summary;
  std::uint32_t needs;
  std::span<const ChainField> fields;
};

template <typename List>
class BasicChainSet;

template <typename... Chains>
class BasicChainSet<ChainList<Chains...>> {
public:
  static constexpr std::size_t chain_count = sizeof...(Chains);
  using SharedChains = std::span<const SharedChain* const>;

  /// All chains that there are: those of the list, then the shared ones.
  [[nodiscard]] static std::vector<ChainInfo> library(SharedChains shared = {}) {
    std::vector<ChainInfo> chains{{Chains::name, Chains::summary, Chains::needs, Chains::fields}...};
    for (const auto* chain : shared)
      chains.push_back({chain->name, chain->summary, chain->needs, chain->fields});
    return chains;
  }

  /// Chooses chains by name; repeated ones count once. A name that is not there is a UsageError. What `shared` points
  /// to outlives the set.
  static BasicChainSet choose(std::span<const std::string> names, SharedChains shared = {});

  /// Octets that the states of one flow take together, a multiple of 8.
  [[nodiscard]] std::uint32_t state_bytes() const noexcept { return state_bytes_; }

  /// What the chosen chains need of packets (Need).
  [[nodiscard]] std::uint32_t needs() const noexcept { return needs_; }

  /// The stream of flow records that these chains give: a FlowRecord, then the states. Throws UsageError where they
  /// have more fields than a stream can have.
  [[nodiscard]] StreamHeader describe() const;

  /// Makes the states of a new flow; false where a chain vetoes it.
  bool new_flow(std::byte* states, PacketView packet) const noexcept {
    bool keep = true;
    for_each([&]<typename Chain>(std::type_identity<Chain>, std::uint32_t offset) {
      auto& state = *new (states + offset) typename Chain::State{};
      if constexpr (requires { Chain::new_flow(state, packet); })
        keep = keep && Chain::new_flow(state, packet);
    });
    for (const auto& [chain, offset] : shared_)
      keep &= chain->new_flow(states + offset, packet);
    return keep;
  }

  /// Runs the hooks that the packet calls for; false where a chain says that the flow is complete.
  [[gnu::always_inline]] bool packet(std::byte* states, PacketView packet, bool rev) const noexcept {
    if (packet->key.version == 4)
      return packet_of<4>(states, packet, rev);
    return packet_of<6>(states, packet, rev);
  }

private:
  template <int version>
  [[gnu::always_inline]] bool packet_of(std::byte* states, PacketView packet, bool rev) const noexcept {
    switch (class_of<version>(packet)) {
    case PacketClass::tcp:
      return hooks<version, PacketClass::tcp>(states, packet, rev);
    case PacketClass::udp:
      return hooks<version, PacketClass::udp>(states, packet, rev);
    case PacketClass::cut_off:
      return hooks<version, PacketClass::cut_off>(states, packet, rev);
    case PacketClass::other:
      return hooks<version, PacketClass::other>(states, packet, rev);
    case PacketClass::icmp:
      return hooks<version, PacketClass::icmp>(states, packet, rev);
    case PacketClass::icmp_error:
      break;
    }
    return hooks<version, PacketClass::icmp_error>(states, packet, rev);
  }

  /// Runs a class's hooks. Those of the first chains of the list, which are chosen most, are inline; the others are
  /// only looked at where there are any: `basic tcp` takes 40 instructions a packet and not 75.
  template <int version, PacketClass kind>
  [[gnu::always_inline]] bool hooks(std::byte* states, PacketView packet, bool rev) const noexcept {
    bool going = hooks_of<version, kind, 0>(std::make_index_sequence<inline_chains>{}, states, packet, rev);
    if (has_more_)
      going &= more_hooks<version, kind>(states, packet, rev);
    return going;
  }

  template <int version, PacketClass kind>
  [[gnu::noinline]] bool more_hooks(std::byte* states, PacketView packet, bool rev) const noexcept {
    bool going = hooks_of<version, kind, inline_chains>(std::make_index_sequence<chain_count - inline_chains>{}, states,
                                                        packet, rev);
    for (const auto& [chain, offset] : shared_)
      if (const auto hook = chain->hooks[version == 6][static_cast<std::size_t>(kind)])
        going &= hook(states + offset, packet, rev);
    return going;
  }

  /// Of the chains from place `first` on. One that has no hook for the class is not even asked whether it was chosen.
  template <int version, PacketClass kind, std::size_t first, std::size_t... place>
  [[gnu::always_inline]] bool hooks_of(std::index_sequence<place...>, [[maybe_unused]] std::byte* states,
                                       [[maybe_unused]] PacketView packet, [[maybe_unused]] bool rev) const noexcept {
    bool going = true;
    [[maybe_unused]] const auto run = [&]<std::size_t at>(std::integral_constant<std::size_t, at>) {
      using Chain = std::tuple_element_t<at, std::tuple<Chains...>>;
      using ChainHooks = Hooks<Chain, version, kind>;
      if constexpr (ChainHooks::any)
        if (chosen_ >> at & 1)
          going &= ChainHooks::call(*std::launder(reinterpret_cast<typename Chain::State*>(states + offsets_[at])),
                                    packet, rev);
    };
    (run(std::integral_constant<std::size_t, first + place>{}), ...);
    return going;
  }

  /// Calls `visit` for each chosen chain with the offset of its state.
  template <typename Visit>
  void for_each(Visit&& visit) const noexcept {
    std::size_t place = 0;
    ((chosen_ >> place & 1 ? visit(std::type_identity<Chains>{}, offsets_[place]) : void(), ++place), ...);
  }

  static constexpr std::size_t inline_chains = std::min<std::size_t>(chain_count, 2);

  std::uint32_t chosen_ = 0; ///< a bit a chain of the list
  bool has_more_ = false;    ///< others than the inline ones were chosen
  std::uint32_t state_bytes_ = 0;
  std::uint32_t needs_ = 0;
  std::array<std::uint32_t, chain_count> offsets_{};

  struct SharedState {
    const SharedChain* chain;
    std::uint32_t offset; ///< of its state
  };
  std::vector<SharedState> shared_;

  /// The chosen chains as the user named them, which is the order of the fields.
  struct Chosen {
    ChainInfo chain;
    std::uint32_t offset;
  };
  std::vector<Chosen> order_;
};

template <typename... Chains>
BasicChainSet<ChainList<Chains...>> BasicChainSet<ChainList<Chains...>>::choose(std::span<const std::string> names,
                                                                                SharedChains shared) {
  static_assert((std::is_trivially_copyable_v<typename Chains::State> && ...), "states are copied into flow records");
  static_assert(chain_count <= 32);
  constexpr std::array<std::uint32_t, chain_count> sizes{
      (std::is_empty_v<typename Chains::State> ? 0 : std::uint32_t{sizeof(typename Chains::State)})...};
  constexpr std::array<std::uint32_t, chain_count> alignments{std::uint32_t{alignof(typename Chains::State)}...};
  const auto chains = library(shared);
  BasicChainSet set;
  const auto place_state = [&set](std::uint32_t size, std::uint32_t alignment) {
    const std::uint32_t offset = (set.state_bytes_ + alignment - 1) / alignment * alignment;
    set.state_bytes_ = offset + size;
    return offset;
  };
  for (const auto& name : names) {
    const auto chain = std::ranges::find(chains, name, &ChainInfo::name);
    if (chain == chains.end()) {
      std::vector<std::string> candidates;
      for (const auto& candidate : chains)
        candidates.emplace_back(candidate.name);
      throw UsageError(unknown_chain(name, candidates));
    }
    if (std::ranges::find(set.order_, name, [](const Chosen& chosen) { return chosen.chain.name; }) != set.order_.end())
      continue;
    const auto place = static_cast<std::size_t>(chain - chains.begin());
    std::uint32_t offset = 0;
    if (place < chain_count) {
      offset = set.offsets_[place] = place_state(sizes[place], alignments[place]);
      set.chosen_ |= std::uint32_t{1} << place;
    } else {
      const auto* const object = shared[place - chain_count];
      offset = place_state(object->state_bytes, object->state_alignment);
      set.shared_.push_back({object, offset});
    }
    set.order_.push_back({*chain, offset});
    set.needs_ |= chain->needs;
  }
  set.has_more_ = (set.chosen_ >> inline_chains) != 0 || !set.shared_.empty();
  set.state_bytes_ = (set.state_bytes_ + 7) / 8 * 8;
  return set;
}

template <typename... Chains>
StreamHeader BasicChainSet<ChainList<Chains...>>::describe() const {
  StreamHeader header = make_stream_header(StreamKind::flows);
  header.needs = needs_;
  header.record_bytes = static_cast<std::uint32_t>(sizeof(FlowRecord)) + state_bytes_;
  const auto add = [&](std::string_view chain, const ChainField& field, std::uint32_t base) {
    if (header.field_count == max_fields)
      throw UsageError("these chains have more than " + std::to_string(max_fields) + " fields together: choose fewer");
    auto& entry = header.fields.at(header.field_count++);
    field.name.copy(entry.name.data(), entry.name.size() - 1);
    chain.copy(entry.chain.data(), entry.chain.size() - 1);
    entry.type = field.type;
    entry.offset = (field.in_core ? 0 : base) + field.offset;
  };
  add("", core_field("pkt_first", FieldType::time_ns, offsetof(FlowRecord, first_ns)), 0);
  add("", core_field("pkt_last", FieldType::time_ns, offsetof(FlowRecord, last_ns)), 0);
  add("", core_field("flow_end_reason", FieldType::end_reason, offsetof(FlowRecord, end_reason)), 0);
  add("", core_field("ring_drops", FieldType::u64, offsetof(FlowRecord, ring_drops)), 0);
  for (const auto& [chain, offset] : order_)
    for (const auto& field : chain.fields)
      add(chain.name, field, static_cast<std::uint32_t>(sizeof(FlowRecord)) + offset);
  return header;
}

using ChainSet = BasicChainSet<LibraryChains>;

} // namespace orbweaver
