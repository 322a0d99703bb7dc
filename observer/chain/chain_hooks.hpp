// SPDX-License-Identifier: GPL-3.0-or-later
// Which hooks of a chain a packet calls for, found out once for each class of packets, at compile time; and the refusal
// of functions that look like a hook and would never be called.
#pragma once

#include "observer/chain.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace orbweaver {

/// What decides about a packet's hooks, besides the IP version.
enum class PacketClass : std::uint8_t { tcp, udp, cut_off, other, icmp, icmp_error };
inline constexpr std::size_t packet_classes = 6;

/// Classes are told apart once, not by each chain: `basic tcp` takes 20 instructions a packet and not 100.
template <int version>
[[nodiscard]] [[gnu::always_inline]] inline PacketClass class_of(PacketView packet) noexcept {
  constexpr std::uint8_t icmp_protocol = version == 4 ? 1 : 58;
  const std::uint8_t protocol = packet->key.protocol;
  const unsigned bits = packet->bits & (PacketBits::transport | PacketBits::icmp_error);
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

/// The forms that a hook may have, and whether it wants the context.
enum class HookForm : std::uint8_t { none, plain, with_context, wrong };

namespace hooks {

template <typename Chain, typename Function>
consteval HookForm packet_form(Function) {
  using State = typename Chain::State;
  if (std::same_as<Function, bool (*)(State&, PacketView, bool) noexcept>)
    return HookForm::plain;
  return std::same_as<Function, bool (*)(State&, PacketView, bool, ChainContext<Chain>&) noexcept>
             ? HookForm::with_context
             : HookForm::wrong;
}

template <typename Chain, typename Function>
consteval HookForm new_flow_form(Function) {
  using State = typename Chain::State;
  if (std::same_as<Function, bool (*)(State&, PacketView) noexcept>)
    return HookForm::plain;
  return std::same_as<Function, bool (*)(State&, PacketView, ChainContext<Chain>&) noexcept> ? HookForm::with_context
                                                                                             : HookForm::wrong;
}

template <typename Chain, typename Function>
consteval HookForm end_form(Function) {
  using State = typename Chain::State;
  if (std::same_as<Function, void (*)(State&, const FlowEnd&) noexcept>)
    return HookForm::plain;
  return std::same_as<Function, void (*)(State&, const FlowEnd&, ChainContext<Chain>&) noexcept>
             ? HookForm::with_context
             : HookForm::wrong;
}

/// All hooks: name, what tells its form, and its parameters.
#define ORBWEAVER_HOOKS(EACH)                                                                                          \
  EACH(new_flow, new_flow_form, "State&, PacketView")                                                                  \
  EACH(ip, packet_form, "State&, PacketView, bool rev")                                                                \
  EACH(ip4, packet_form, "State&, PacketView, bool rev")                                                               \
  EACH(ip6, packet_form, "State&, PacketView, bool rev")                                                               \
  EACH(icmp4, packet_form, "State&, PacketView, bool rev")                                                             \
  EACH(icmp6, packet_form, "State&, PacketView, bool rev")                                                             \
  EACH(tcp, packet_form, "State&, PacketView, bool rev")                                                               \
  EACH(udp, packet_form, "State&, PacketView, bool rev")                                                               \
  EACH(l4, packet_form, "State&, PacketView, bool rev")                                                                \
  EACH(end, end_form, "State&, const FlowEnd&")
/// Names that are no hook, but that somebody who means one may write, and what is meant.
#define ORBWEAVER_NO_HOOKS(EACH)                                                                                       \
  EACH(icmp, no_form, "they are icmp4 and icmp6")                                                                      \
  EACH(ipv4, no_form, "it is ip4")                                                                                     \
  EACH(ipv6, no_form, "it is ip6")                                                                                     \
  EACH(icmpv4, no_form, "it is icmp4")                                                                                 \
  EACH(icmpv6, no_form, "it is icmp6")                                                                                 \
  EACH(tcp4, no_form, "it is tcp, for both IP versions")                                                               \
  EACH(tcp6, no_form, "it is tcp, for both IP versions")                                                               \
  EACH(udp4, no_form, "it is udp, for both IP versions")                                                               \
  EACH(udp6, no_form, "it is udp, for both IP versions")                                                               \
  EACH(sctp, no_form, "l4 gets every protocol that is neither TCP nor UDP")                                            \
  EACH(l3, no_form, "it is ip, ip4 or ip6")                                                                            \
  EACH(packet, no_form, "it is ip, ip4 or ip6")                                                                        \
  EACH(flow_new, no_form, "it is new_flow")                                                                            \
  EACH(flow_end, no_form, "it is end")                                                                                 \
  EACH(end_flow, no_form, "it is end")                                                                                 \
  EACH(finish, no_form, "it is end")                                                                                   \
  EACH(ended, no_form, "it is end")                                                                                    \
  EACH(flow_ended, no_form, "it is end")                                                                               \
  EACH(on_end, no_form, "it is end")                                                                                   \
  EACH(newflow, no_form, "it is new_flow")                                                                             \
  EACH(on_flow, no_form, "it is new_flow")                                                                             \
  EACH(on_ip, no_form, "it is ip, ip4 or ip6")                                                                         \
  EACH(on_tcp, no_form, "it is tcp")                                                                                   \
  EACH(on_udp, no_form, "it is udp")                                                                                   \
  EACH(on_packet, no_form, "it is ip, ip4 or ip6")                                                                     \
  EACH(tpc, no_form, "it is tcp")                                                                                      \
  EACH(TCP, no_form, "it is tcp")                                                                                      \
  EACH(Tcp, no_form, "it is tcp")                                                                                      \
  EACH(upd, no_form, "it is udp")                                                                                      \
  EACH(UDP, no_form, "it is udp")                                                                                      \
  EACH(Udp, no_form, "it is udp")                                                                                      \
  EACH(IP, no_form, "it is ip, ip4 or ip6")                                                                            \
  EACH(ICMP, no_form, "they are icmp4 and icmp6")                                                                      \
  EACH(End, no_form, "it is end")                                                                                      \
  EACH(on_flow_end, no_form, "it is end")                                                                              \
  EACH(newFlow, no_form, "it is new_flow")                                                                             \
  EACH(NewFlow, no_form, "it is new_flow")                                                                             \
  EACH(new_flows, no_form, "it is new_flow")                                                                           \
  EACH(L4, no_form, "it is l4")                                                                                        \
  EACH(transport, no_form, "they are tcp, udp and l4")

/// The form of the member NAME of a chain. That a struct has any member of a name, private or overloaded ones too,
/// shows where the name is ambiguous once another base has it as well.
#define ORBWEAVER_HOOK(NAME, FORM, SAYS)                                                                               \
  struct NAME##_named {                                                                                                \
    void NAME();                                                                                                       \
  };                                                                                                                   \
  template <typename Chain>                                                                                            \
  struct NAME##_both : Chain, NAME##_named {};                                                                         \
  template <typename Chain>                                                                                            \
  consteval HookForm NAME##_form() {                                                                                   \
    if constexpr (requires { &NAME##_both<Chain>::NAME; })                                                             \
      return HookForm::none;                                                                                           \
    else if constexpr (requires { FORM<Chain>(&Chain::NAME); })                                                        \
      return FORM<Chain>(&Chain::NAME);                                                                                \
    else                                                                                                               \
      return HookForm::wrong;                                                                                          \
  }

template <typename>
consteval HookForm no_form(...) {
  return HookForm::wrong;
}

ORBWEAVER_HOOKS(ORBWEAVER_HOOK)
ORBWEAVER_NO_HOOKS(ORBWEAVER_HOOK)
#undef ORBWEAVER_HOOK

} // namespace hooks

/// Refuses to compile a chain whose functions would not be called.
template <typename Chain>
consteval bool check_hooks() {
  static_assert(!std::is_final_v<Chain>, "a chain that is final hides its hooks from the check: leave final out");
#define ORBWEAVER_CHECK(NAME, FORM, PARAMETERS)                                                                        \
  static_assert(hooks::NAME##_form<Chain>() != HookForm::wrong,                                                        \
                "the hook " #NAME " would never be called: it has to be public, static, noexcept, and of the form "    \
                "bool/void " #NAME "(" PARAMETERS "), with ChainContext<Chain>& behind that or not");
#define ORBWEAVER_REFUSE(NAME, FORM, MEANT)                                                                            \
  static_assert(hooks::NAME##_form<Chain>() == HookForm::none, "there is no hook " #NAME ": " MEANT);
  ORBWEAVER_HOOKS(ORBWEAVER_CHECK)
  ORBWEAVER_NO_HOOKS(ORBWEAVER_REFUSE)
#undef ORBWEAVER_CHECK
#undef ORBWEAVER_REFUSE
  return true;
}

/// Where a chosen chain has its place: what a hook's context is made of.
struct ChainPlace {
  std::uint32_t offset = 0;      ///< of its state among a flow's states
  std::uint16_t first_table = 0; ///< of its events
  const std::byte* options = nullptr;
};

/// The hooks that a chain has for a class of packets.
template <typename Chain, int version, PacketClass kind>
struct Hooks {
  using State = typename Chain::State;
  static_assert(check_hooks<Chain>());
  static constexpr bool datagram = kind != PacketClass::icmp_error;
  static constexpr bool message = kind == PacketClass::icmp || kind == PacketClass::icmp_error;

  static constexpr HookForm ip = datagram ? hooks::ip_form<Chain>() : HookForm::none;
  static constexpr HookForm ip4 = datagram && version == 4 ? hooks::ip4_form<Chain>() : HookForm::none;
  static constexpr HookForm ip6 = datagram && version == 6 ? hooks::ip6_form<Chain>() : HookForm::none;
  static constexpr HookForm tcp = kind == PacketClass::tcp ? hooks::tcp_form<Chain>() : HookForm::none;
  static constexpr HookForm udp = kind == PacketClass::udp ? hooks::udp_form<Chain>() : HookForm::none;
  static constexpr HookForm l4 =
      kind == PacketClass::other || kind == PacketClass::icmp ? hooks::l4_form<Chain>() : HookForm::none;
  static constexpr HookForm icmp4 = message && version == 4 ? hooks::icmp4_form<Chain>() : HookForm::none;
  static constexpr HookForm icmp6 = message && version == 6 ? hooks::icmp6_form<Chain>() : HookForm::none;

  static constexpr bool has(HookForm form) noexcept {
    return ip == form || ip4 == form || ip6 == form || tcp == form || udp == form || l4 == form || icmp4 == form ||
           icmp6 == form;
  }
  static constexpr bool any = has(HookForm::plain) || has(HookForm::with_context);

  /// Runs them; false where one says that the flow is complete.
  [[gnu::always_inline]] static bool call(std::byte* states, PacketView packet, bool rev, FlowServices& services,
                                          const ChainPlace& place) noexcept {
    auto& state = *std::launder(reinterpret_cast<State*>(states + place.offset));
    bool going = true;
    const auto run = [&]<HookForm form>(auto hook) {
      if constexpr (form == HookForm::plain)
        going &= hook(state, packet, rev);
      else {
        ChainContext<Chain> context(services, place.options, place.first_table);
        going &= hook(state, packet, rev, context);
      }
    };
    if constexpr (ip != HookForm::none)
      run.template operator()<ip>([](auto&&... with) { return Chain::ip(with...); });
    if constexpr (ip4 != HookForm::none)
      run.template operator()<ip4>([](auto&&... with) { return Chain::ip4(with...); });
    if constexpr (ip6 != HookForm::none)
      run.template operator()<ip6>([](auto&&... with) { return Chain::ip6(with...); });
    if constexpr (tcp != HookForm::none)
      run.template operator()<tcp>([](auto&&... with) { return Chain::tcp(with...); });
    if constexpr (udp != HookForm::none)
      run.template operator()<udp>([](auto&&... with) { return Chain::udp(with...); });
    if constexpr (l4 != HookForm::none)
      run.template operator()<l4>([](auto&&... with) { return Chain::l4(with...); });
    if constexpr (icmp4 != HookForm::none)
      run.template operator()<icmp4>([](auto&&... with) { return Chain::icmp4(with...); });
    if constexpr (icmp6 != HookForm::none)
      run.template operator()<icmp6>([](auto&&... with) { return Chain::icmp6(with...); });
    return going;
  }
};

/// Makes the state of a new flow; false where the chain vetoes it.
template <typename Chain>
bool begin_state(std::byte* states, PacketView packet, FlowServices& services, const ChainPlace& place) noexcept {
  auto& state = *new (states + place.offset) typename Chain::State{};
  constexpr auto form = hooks::new_flow_form<Chain>();
  if constexpr (form == HookForm::plain)
    return Chain::new_flow(state, packet);
  else if constexpr (form == HookForm::with_context) {
    ChainContext<Chain> context(services, place.options, place.first_table);
    return Chain::new_flow(state, packet, context);
  } else
    return static_cast<void>(state), true;
}

template <typename Chain>
inline constexpr bool has_end = hooks::end_form<Chain>() != HookForm::none;

/// Tells a chain that a flow leaves; it has a hook for it.
template <typename Chain>
void end_state(std::byte* states, const FlowEnd& end, FlowServices& services, const ChainPlace& place) noexcept {
  auto& state = *std::launder(reinterpret_cast<typename Chain::State*>(states + place.offset));
  if constexpr (hooks::end_form<Chain>() == HookForm::with_context) {
    ChainContext<Chain> context(services, place.options, place.first_table);
    Chain::end(state, end, context);
  } else {
    Chain::end(state, end);
  }
}

/// Whether a chain has a hook at all: without one, or with a misspelt one alone, it would say nothing of any flow.
template <typename Chain>
inline constexpr bool has_hooks =
#define ORBWEAVER_HAS_HOOK(NAME, FORM, PARAMETERS) hooks::NAME##_form<Chain>() != HookForm::none ||
    ORBWEAVER_HOOKS(ORBWEAVER_HAS_HOOK) false;
#undef ORBWEAVER_HAS_HOOK

/// Whether any hook of a chain wants its context: only then a flow has memory of its own.
template <typename Chain>
inline constexpr bool wants_context =
#define ORBWEAVER_WANTS_CONTEXT(NAME, FORM, PARAMETERS) hooks::NAME##_form<Chain>() == HookForm::with_context ||
    ORBWEAVER_HOOKS(ORBWEAVER_WANTS_CONTEXT) false;
#undef ORBWEAVER_WANTS_CONTEXT
#undef ORBWEAVER_HOOKS
#undef ORBWEAVER_NO_HOOKS

} // namespace orbweaver
