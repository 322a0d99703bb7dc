// SPDX-License-Identifier: GPL-3.0-or-later
// How a TCP connection opened and closed (RFC 9293, 3.3.2): SYN flags, FIN, RST, and whether the handshake completed.
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct TcpChain {
  static constexpr std::string_view name = "tcp";
  static constexpr std::string_view summary = "SYN flags, FIN, RST, completed handshake";
  static constexpr std::uint32_t needs = Need::none;
  static constexpr bool completes = true;

  struct State {
    Nullable<std::uint8_t> syn_flags[2]; // of the first SYN, [fwd, rev]
    bool fin[2]{};
    bool rst[2]{};
    bool accepted = false; // SYN+ACK, in reverse
    bool connected = false;
  };

  inline static const auto fields = std::array{
      field("tcp_synflags_fwd", "flags (CWR to FIN) of the first segment with SYN, forward", &State::syn_flags, 0),
      field("tcp_synflags_rev", "flags (CWR to FIN) of the first segment with SYN, reverse", &State::syn_flags, 1)
          .mirrors("tcp_synflags_fwd"),
      field("tcp_fin_fwd", "FIN was seen, forward", &State::fin, 0),
      field("tcp_fin_rev", "FIN was seen, reverse", &State::fin, 1).mirrors("tcp_fin_fwd"),
      field("tcp_rst_fwd", "RST was seen, forward", &State::rst, 0),
      field("tcp_rst_rev", "RST was seen, reverse", &State::rst, 1).mirrors("tcp_rst_fwd"),
      field("tcp_connected", "SYN forward, SYN+ACK in reverse, and then an ACK forward were seen", &State::connected),
  };

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    const auto flags = static_cast<std::uint8_t>(packet->tcp_flags); // those of the octet of that name
    if (flags & TCP_SYN)
      state.syn_flags[rev].set_first(flags);
    state.accepted |= rev && (flags & TCP_SA) == TCP_SA;
    if (!rev && (flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
      state.connected |= state.accepted && !state.syn_flags[0].is_null();
    state.fin[rev] |= (flags & TCP_FIN) != 0;
    state.rst[rev] |= (flags & TCP_RST) != 0;
    return !((state.fin[0] && state.fin[1]) || state.rst[0] || state.rst[1]);
  }
};

} // namespace orbweaver
