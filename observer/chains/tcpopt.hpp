// SPDX-License-Identifier: GPL-3.0-or-later
// Options that the other side offered on its SYN: timestamps and window scale (RFC 7323), SACK permitted (RFC 2018).
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct TcpoptChain {
  static constexpr std::string_view name = "tcpopt";
  static constexpr std::string_view summary = "timestamps, window scale, SACK permitted on the reverse SYN";
  static constexpr std::uint32_t needs = Need::tcp_options;

  struct State {
    Nullable<bool> timestamps;
    Nullable<bool> window_scale;
    Nullable<bool> sack_permitted;
  };

  inline static const auto fields = std::array{
      field("tcpopt_ts", "timestamps on the reverse SYN", &State::timestamps),
      field("tcpopt_ws", "window scale on the reverse SYN", &State::window_scale),
      field("tcpopt_sack", "SACK permitted on the reverse SYN", &State::sack_permitted),
  };

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (rev && (packet->tcp_flags & TCP_SYN))
      for_each_tcp_option(packet.tcp_options(), [&](TcpOption option) {
        if (option.kind == TO_TS)
          state.timestamps.set(true);
        else if (option.kind == TO_WS)
          state.window_scale.set(true);
        else if (option.kind == TO_SACKOK)
          state.sack_permitted.set(true);
      });
    return true;
  }
};

} // namespace orbweaver
