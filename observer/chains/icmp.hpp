// SPDX-License-Identifier: GPL-3.0-or-later
// ICMP messages (RFC 792; RFC 4443) of the flow, its own and errors that quote it: the first type and code in each
// direction, who sent the first error, and whether a destination unreachable came back.
#pragma once

#include "observer/chain.hpp"

#include <array>
#include <cstring>

namespace orbweaver {

struct IcmpChain {
  static constexpr std::string_view name = "icmp";
  static constexpr std::string_view summary = "first ICMP message by direction; destination unreachable came back";
  static constexpr std::uint32_t needs = Need::icmp_sender;
  static constexpr bool completes = true;

  struct State {
    Nullable<std::uint8_t> type[2], code[2]; // [fwd, rev]
    Address error_from{};
    bool unreachable = false;
  };

  inline static const auto fields = std::array{
      field("icmp_unreachable", "a destination unreachable came back", &State::unreachable),
      field("icmp_type_fwd", "type of the first ICMP message, forward", &State::type, 0),
      field("icmp_type_rev", "type of the first ICMP message, an error that quotes the flow among others, reverse",
            &State::type, 1)
          .mirrors("icmp_type_fwd"),
      field("icmp_code_fwd", "code of the first ICMP message, forward", &State::code, 0),
      field("icmp_code_rev", "code of the first ICMP message, reverse", &State::code, 1).mirrors("icmp_code_fwd"),
      field("icmp_error_from", "who sent the first error that quotes the flow", &State::error_from),
  };

  static bool icmp4(State& state, PacketView packet, bool rev) noexcept { return note(state, packet, rev, 3); }
  static bool icmp6(State& state, PacketView packet, bool rev) noexcept { return note(state, packet, rev, 1); }

private:
  static bool note(State& state, PacketView packet, bool rev, std::uint8_t unreachable_type) noexcept {
    if (packet.has_transport() && state.type[rev].is_null()) {
      state.type[rev].set(packet->icmp_type);
      state.code[rev].set(packet->icmp_code);
    }
    if (const auto sender = packet.icmp_sender(); !sender.empty() && state.error_from.version == 0) {
      state.error_from.version = packet->key.version;
      std::memcpy(state.error_from.octets, sender.data(), sender.size());
    }
    state.unreachable |= rev && packet->icmp_type == unreachable_type;
    return !state.unreachable;
  }
};

} // namespace orbweaver
