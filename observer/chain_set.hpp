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
    if (packet->key.version == 4)
      return packet_of<4>(states, packet, rev);
    return packet_of<6>(states, packet, rev);
  }

private:
  /// What decides about a packet's hooks, besides the IP version.
  enum class Class { tcp, udp, cut_off, other, icmp, icmp_error };

  /// Classes are told apart once, not by each chain: `basic tcp` takes 20 instructions a packet and not 100.
  template <int version>
  bool packet_of(std::byte* states, PacketView packet, bool rev) const noexcept {
    constexpr std::uint8_t icmp_protocol = version == 4 ? 1 : 58;
    const std::uint8_t protocol = packet->key.protocol;
    const std::uint8_t bits = packet->bits & (PacketBits::transport | PacketBits::icmp_error);
    if (bits == PacketBits::transport) [[likely]] {
      if (protocol == 6)
        return hooks<version, Class::tcp>(states, packet, rev);
      if (protocol == 17)
        return hooks<version, Class::udp>(states, packet, rev);
      if (protocol == icmp_protocol)
        return hooks<version, Class::icmp>(states, packet, rev);
    }
    if (bits & PacketBits::icmp_error)
      return hooks<version, Class::icmp_error>(states, packet, rev);
    if (protocol == 6 || protocol == 17)
      return hooks<version, Class::cut_off>(states, packet, rev);
    return hooks<version, Class::other>(states, packet, rev);
  }

  /// Which of its hooks a chain has for a class of packets.
  template <typename Chain, int version, Class kind>
  struct Hooks {
    using State = typename Chain::State;
    static constexpr bool datagram = kind != Class::icmp_error;
    static constexpr bool message = kind == Class::icmp || kind == Class::icmp_error;
    static constexpr bool ip = datagram && requires(State & s, PacketView p) { Chain::ip(s, p, true); };
    static constexpr bool ip4 = datagram && version == 4 && requires(State & s, PacketView p) {
      Chain::ip4(s, p, true);
    };
    static constexpr bool ip6 = datagram && version == 6 && requires(State & s, PacketView p) {
      Chain::ip6(s, p, true);
    };
    static constexpr bool tcp = kind == Class::tcp && requires(State & s, PacketView p) { Chain::tcp(s, p, true); };
    static constexpr bool udp = kind == Class::udp && requires(State & s, PacketView p) { Chain::udp(s, p, true); };
    static constexpr bool l4 = (kind == Class::other || kind == Class::icmp) && requires(State & s, PacketView p) {
      Chain::l4(s, p, true);
    };
    static constexpr bool icmp4 = message && version == 4 && requires(State & s, PacketView p) {
      Chain::icmp4(s, p, true);
    };
    static constexpr bool icmp6 = message && version == 6 && requires(State & s, PacketView p) {
      Chain::icmp6(s, p, true);
    };
    static constexpr bool any = ip || ip4 || ip6 || tcp || udp || l4 || icmp4 || icmp6;

    [[gnu::always_inline]] static bool call(State& state, PacketView packet, bool rev) noexcept {
      bool going = true;
      if constexpr (ip)
        going &= Chain::ip(state, packet, rev);
      if constexpr (ip4)
        going &= Chain::ip4(state, packet, rev);
      if constexpr (ip6)
        going &= Chain::ip6(state, packet, rev);
      if constexpr (tcp)
        going &= Chain::tcp(state, packet, rev);
      if constexpr (udp)
        going &= Chain::udp(state, packet, rev);
      if constexpr (l4)
        going &= Chain::l4(state, packet, rev);
      if constexpr (icmp4)
        going &= Chain::icmp4(state, packet, rev);
      if constexpr (icmp6)
        going &= Chain::icmp6(state, packet, rev);
      return going;
    }
  };

  /// Runs a class's hooks. A chain that has none for it is not even asked whether it was chosen.
  template <int version, Class kind>
  bool hooks(std::byte* states, PacketView packet, bool rev) const noexcept {
    bool going = true;
    std::size_t place = 0;
    const auto run = [&]<typename Chain>(std::type_identity<Chain>) {
      using ChainHooks = Hooks<Chain, version, kind>;
      if constexpr (ChainHooks::any)
        if (chosen_ >> place & 1)
          going &= ChainHooks::call(*std::launder(reinterpret_cast<typename Chain::State*>(states + offsets_[place])),
                                    packet, rev);
      ++place;
    };
    (run(std::type_identity<Chains>{}), ...);
    return going;
  }

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
