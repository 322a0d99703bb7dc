// SPDX-License-Identifier: GPL-3.0-or-later
// Which hooks of a chain a packet calls for. Found out once for each class of packets, at compile time.
#pragma once

#include "observer/chain.hpp"

#include <cstddef>
#include <cstdint>

namespace orbweaver {

/// What decides about a packet's hooks, besides the IP version.
enum class PacketClass : std::uint8_t { tcp, udp, cut_off, other, icmp, icmp_error };
inline constexpr std::size_t packet_classes = 6;

/// Classes are told apart once, not by each chain: `basic tcp` takes 20 instructions a packet and not 100.
template <int version>
[[nodiscard]] [[gnu::always_inline]] inline PacketClass class_of(PacketView packet) noexcept {
  constexpr std::uint8_t icmp_protocol = version == 4 ? 1 : 58;
  const std::uint8_t protocol = packet->key.protocol;
  const std::uint8_t bits = packet->bits & (PacketBits::transport | PacketBits::icmp_error);
  if (bits == PacketBits::transport) [[likely]] {
    if (protocol == 6)
      return PacketClass::tcp;
    if (protocol == 17)
      return PacketClass::udp;
    if (protocol == icmp_protocol)
      return PacketClass::icmp;
  }
  if (bits & PacketBits::icmp_error)
    return PacketClass::icmp_error;
  return protocol == 6 || protocol == 17 ? PacketClass::cut_off : PacketClass::other;
}

/// The hooks that a chain has for a class of packets.
template <typename Chain, int version, PacketClass kind>
struct Hooks {
  using State = typename Chain::State;
  static constexpr bool datagram = kind != PacketClass::icmp_error;
  static constexpr bool message = kind == PacketClass::icmp || kind == PacketClass::icmp_error;
  static constexpr bool ip = datagram && requires(State & s, PacketView p) { Chain::ip(s, p, true); };
  static constexpr bool ip4 = datagram && version == 4 && requires(State & s, PacketView p) { Chain::ip4(s, p, true); };
  static constexpr bool ip6 = datagram && version == 6 && requires(State & s, PacketView p) { Chain::ip6(s, p, true); };
  static constexpr bool tcp = kind == PacketClass::tcp && requires(State & s, PacketView p) { Chain::tcp(s, p, true); };
  static constexpr bool udp = kind == PacketClass::udp && requires(State & s, PacketView p) { Chain::udp(s, p, true); };
  static constexpr bool l4 =
      (kind == PacketClass::other || kind == PacketClass::icmp) && requires(State & s, PacketView p) {
    Chain::l4(s, p, true);
  };
  static constexpr bool icmp4 = message && version == 4 && requires(State & s, PacketView p) {
    Chain::icmp4(s, p, true);
  };
  static constexpr bool icmp6 = message && version == 6 && requires(State & s, PacketView p) {
    Chain::icmp6(s, p, true);
  };
  static constexpr bool any = ip || ip4 || ip6 || tcp || udp || l4 || icmp4 || icmp6;

  /// Runs them; false where one says that the flow is complete.
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

} // namespace orbweaver
