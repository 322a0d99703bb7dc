// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a DNS response came back (RFC 1035, 4), over UDP or in one TCP segment, on any port. What is one,
// common/dns_message.hpp says.
#pragma once

#include "common/dns_message.hpp"
#include "common/dns_shape.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct DnsChain {
  static constexpr std::string_view name = "dns";
  static constexpr std::string_view summary = "a valid DNS response came back";
  static constexpr std::uint32_t needs = Need::payload("dns");
  static constexpr bool completes = true;

  struct State {
    bool response_valid = false;
  };

  inline static const auto fields =
      std::array{field("dns_response_valid", "a DNS response came back", &State::response_valid)};

  static bool udp(State& state, PacketView packet, bool rev) noexcept {
    if (const auto message = packet.payload("dns"); rev && !message.empty() && !state.response_valid)
      state.response_valid = is_dns_response(message, is_multicast(packet));
    return !state.response_valid;
  }

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (const auto segment = packet.payload("dns"); rev && !segment.empty() && !state.response_valid)
      state.response_valid = is_dns_response(dns_over_tcp(segment));
    return !state.response_valid;
  }

private:
  /// Of multicast DNS (RFC 6762).
  static bool is_multicast(PacketView packet) noexcept {
    constexpr std::uint16_t port = 5353;
    return packet->key.ports[0] == port || packet->key.ports[1] == port;
  }
};

} // namespace orbweaver
