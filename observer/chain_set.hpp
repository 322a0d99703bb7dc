// SPDX-License-Identifier: GPL-3.0-or-later
// The chosen chains: where their states lie in a flow, their fields, and the calls of their hooks. No virtual calls:
// every chain of the list is compiled in, and a bit says whether it was chosen.
#pragma once

#include "common/chain_list.hpp"
#include "common/error.hpp"
#include "common/packet_record.hpp"
#include "common/stream_header.hpp"
#include "observer/chain.hpp"
#include "observer/library_chains.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace orbweaver {

/// What `--describe-chains` says of a chain.
struct ChainInfo {
  std::string_view name;
  std::string_view summary;
  std::uint32_t raw_bytes;
  std::span<const ChainField> fields;
};

template <typename List>
class BasicChainSet;

template <typename... Chains>
class BasicChainSet<ChainList<Chains...>> {
public:
  static constexpr std::size_t chain_count = sizeof...(Chains);

  /// All chains that there are.
  [[nodiscard]] static std::array<ChainInfo, chain_count> library() {
    return {ChainInfo{Chains::name, Chains::summary, Chains::raw_bytes, Chains::fields}...};
  }

  /// Chooses chains by name; repeated ones count once. A name that is not there is a UsageError.
  static BasicChainSet choose(std::span<const std::string> names);

  /// Octets that the states of one flow take together, a multiple of 8.
  [[nodiscard]] std::uint32_t state_bytes() const noexcept { return state_bytes_; }

  /// The raw bytes that the chosen chains need.
  [[nodiscard]] std::uint32_t raw_bytes() const noexcept { return raw_bytes_; }

  /// The stream of flow records that these chains give: a FlowRecord, then the states.
  [[nodiscard]] StreamHeader describe() const;

  /// Makes the states of a new flow; false where a chain vetoes it.
  bool new_flow(std::byte* states, PacketView packet) const noexcept {
    bool keep = true;
    for_each([&]<typename Chain>(std::type_identity<Chain>, std::uint32_t offset) {
      auto& state = *new (states + offset) typename Chain::State{};
      if constexpr (requires { Chain::new_flow(state, packet); })
        keep = keep && Chain::new_flow(state, packet);
    });
    return keep;
  }

  /// Runs the hooks that the packet calls for; false where a chain says that the flow is complete.
  bool packet(std::byte* states, PacketView packet, bool rev) const noexcept {
    bool going = true;
    const bool ipv4 = packet->key.version == 4;
    const bool error = packet.is_icmp_error();
    const std::uint8_t protocol = error ? icmp_protocol(ipv4) : packet->key.protocol;
    const bool transport = packet.has_transport();
    for_each([&]<typename Chain>(std::type_identity<Chain>, std::uint32_t offset) {
      auto& state = *std::launder(reinterpret_cast<typename Chain::State*>(states + offset));
      if (!error) {
        if constexpr (requires { Chain::ip(state, packet, rev); })
          going &= Chain::ip(state, packet, rev);
        if constexpr (requires { Chain::ip4(state, packet, rev); })
          if (ipv4)
            going &= Chain::ip4(state, packet, rev);
        if constexpr (requires { Chain::ip6(state, packet, rev); })
          if (!ipv4)
            going &= Chain::ip6(state, packet, rev);
        if constexpr (requires { Chain::tcp(state, packet, rev); })
          if (protocol == 6 && transport)
            going &= Chain::tcp(state, packet, rev);
        if constexpr (requires { Chain::udp(state, packet, rev); })
          if (protocol == 17 && transport)
            going &= Chain::udp(state, packet, rev);
        if constexpr (requires { Chain::l4(state, packet, rev); })
          if (protocol != 6 && protocol != 17)
            going &= Chain::l4(state, packet, rev);
      }
      if constexpr (requires { Chain::icmp4(state, packet, rev); })
        if (protocol == 1 && ipv4 && transport)
          going &= Chain::icmp4(state, packet, rev);
      if constexpr (requires { Chain::icmp6(state, packet, rev); })
        if (protocol == 58 && !ipv4 && transport)
          going &= Chain::icmp6(state, packet, rev);
    });
    return going;
  }

private:
  static constexpr std::uint8_t icmp_protocol(bool ipv4) noexcept { return ipv4 ? 1 : 58; }

  /// Calls `visit` for each chosen chain with the offset of its state.
  template <typename Visit>
  void for_each(Visit&& visit) const noexcept {
    std::size_t place = 0;
    ((chosen_ >> place & 1 ? visit(std::type_identity<Chains>{}, offsets_[place]) : void(), ++place), ...);
  }

  std::uint32_t chosen_ = 0; ///< a bit a chain of the list
  std::uint32_t state_bytes_ = 0;
  std::uint32_t raw_bytes_ = 0;
  std::array<std::uint32_t, chain_count> offsets_{};
  std::vector<std::size_t> order_; ///< of the fields: places in the list, as the user named them
};

template <typename... Chains>
BasicChainSet<ChainList<Chains...>> BasicChainSet<ChainList<Chains...>>::choose(std::span<const std::string> names) {
  static_assert((std::is_trivially_copyable_v<typename Chains::State> && ...), "states are copied into flow records");
  static_assert(chain_count <= 32);
  constexpr std::array<std::uint32_t, chain_count> sizes{
      (std::is_empty_v<typename Chains::State> ? 0 : std::uint32_t{sizeof(typename Chains::State)})...};
  constexpr std::array<std::uint32_t, chain_count> alignments{std::uint32_t{alignof(typename Chains::State)}...};
  const auto chains = library();
  BasicChainSet set;
  for (const auto& name : names) {
    const auto chain = std::ranges::find(chains, name, &ChainInfo::name);
    if (chain == chains.end())
      throw UsageError(unknown_chain(name, std::vector<std::string>{std::string(Chains::name)...}));
    const auto place = static_cast<std::size_t>(chain - chains.begin());
    if (set.chosen_ >> place & 1)
      continue;
    set.chosen_ |= std::uint32_t{1} << place;
    set.order_.push_back(place);
    set.raw_bytes_ |= chain->raw_bytes;
    set.offsets_[place] = (set.state_bytes_ + alignments[place] - 1) / alignments[place] * alignments[place];
    set.state_bytes_ = set.offsets_[place] + sizes[place];
  }
  set.state_bytes_ = (set.state_bytes_ + 7) / 8 * 8;
  return set;
}

template <typename... Chains>
StreamHeader BasicChainSet<ChainList<Chains...>>::describe() const {
  StreamHeader header = make_stream_header(StreamKind::flows);
  header.raw_bytes = raw_bytes_;
  header.record_bytes = static_cast<std::uint32_t>(sizeof(FlowRecord)) + state_bytes_;
  const auto add = [&](std::string_view chain, const ChainField& field, std::uint32_t base) {
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
  const auto chains = library();
  for (const auto place : order_)
    for (const auto& field : chains[place].fields)
      add(chains[place].name, field, static_cast<std::uint32_t>(sizeof(FlowRecord)) + offsets_[place]);
  return header;
}

using ChainSet = BasicChainSet<LibraryChains>;

} // namespace orbweaver
