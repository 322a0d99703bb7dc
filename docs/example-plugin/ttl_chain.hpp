// SPDX-License-Identifier: GPL-3.0-or-later
// The TTL (hop limit) of the answers, and how often it changed on the way: a sign of another path (RFC 791, 3.2).
#pragma once

#include <orbweaver/chain.hpp>

#include <array>

struct TtlChain {
  static constexpr std::string_view name = "ttl";
  static constexpr std::string_view summary = "TTL of both directions, and how often it changed";
  static constexpr std::uint32_t needs = orbweaver::Need::none;

  struct State {
    orbweaver::Nullable<std::uint8_t> last[2]; // [fwd, rev]
    std::uint32_t changes[2]{};
  };

  inline static const auto fields = std::array{
      orbweaver::field("ttl_last_fwd", "TTL of the last packet, forward", &State::last, 0).in("hops"),
      orbweaver::field("ttl_last_rev", "TTL of the last packet, reverse", &State::last, 1)
          .in("hops")
          .mirrors("ttl_last_fwd"),
      orbweaver::field("ttl_changes_fwd", "how often it changed, forward", &State::changes, 0),
      orbweaver::field("ttl_changes_rev", "how often it changed, reverse", &State::changes, 1)
          .mirrors("ttl_changes_fwd"),
  };

  static bool ip(State& state, orbweaver::PacketView packet, bool rev) noexcept {
    state.changes[rev] += !state.last[rev].is_null() && state.last[rev].value() != packet->ttl;
    state.last[rev].set(packet->ttl);
    return true;
  }
};
