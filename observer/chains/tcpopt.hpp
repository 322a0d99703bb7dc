// SPDX-License-Identifier: GPL-3.0-or-later
// Options that the other side offered on its SYN, and that the sender of the first did on its own: timestamps and
// window scale (RFC 7323), SACK permitted (RFC 2018).
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct TcpoptChain {
  static constexpr std::string_view name = "tcpopt";
  static constexpr std::string_view summary = "timestamps, window scale, SACK permitted on the SYNs";
  static constexpr std::uint32_t needs = Need::tcp_options;

  struct State {
    Nullable<bool> timestamps[2]; // [fwd, rev]
    Nullable<bool> window_scale[2];
    Nullable<bool> sack_permitted[2];
  };

  inline static const auto fields = std::array{
      field("tcpopt_ts", "timestamps on the reverse SYN", &State::timestamps, 1),
      field("tcpopt_ws", "window scale on the reverse SYN", &State::window_scale, 1),
      field("tcpopt_sack", "SACK permitted on the reverse SYN", &State::sack_permitted, 1),
      field("tcpopt_ts_offered", "timestamps on the forward SYN", &State::timestamps, 0),
      field("tcpopt_ws_offered", "window scale on the forward SYN", &State::window_scale, 0),
      field("tcpopt_sack_offered", "SACK permitted on the forward SYN", &State::sack_permitted, 0),
  };

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (packet->tcp_flags & TCP_SYN)
      for_each_tcp_option(packet.tcp_options(), [&](TcpOption option) {
        if (option.kind == TO_TS)
          state.timestamps[rev].set(true);
        else if (option.kind == TO_WS)
          state.window_scale[rev].set(true);
        else if (option.kind == TO_SACKOK)
          state.sack_permitted[rev].set(true);
      });
    return true;
  }
};

} // namespace orbweaver
