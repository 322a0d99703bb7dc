// SPDX-License-Identifier: GPL-3.0-or-later
// Whether a DNS response came back (RFC 1035, 4), over UDP or in one TCP segment, on any port. Parsed by ldns.
#pragma once

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
      state.response_valid = is_response(message);
    return !state.response_valid;
  }

  static bool tcp(State& state, PacketView packet, bool rev) noexcept {
    if (const auto segment = packet.payload("dns"); rev && !segment.empty() && !state.response_valid)
      state.response_valid = is_response_over_tcp(segment);
    return !state.response_valid;
  }

  /// Whether these octets parse as a DNS message that is a response. Allocates: ldns builds the message.
  static bool is_response(std::span<const std::uint8_t> message) noexcept;
  static bool is_response_over_tcp(std::span<const std::uint8_t> payload) noexcept;
};

} // namespace orbweaver
