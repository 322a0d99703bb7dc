// SPDX-License-Identifier: GPL-3.0-or-later
// TCP Fast Open (RFC 7413): the option on SYN and SYN+ACK, by its own kind or by experiment identifier (RFC 6994), and
// what became of data on the SYN.
#pragma once

#include "common/tcp.hpp"
#include "observer/chain.hpp"

#include <array>

namespace orbweaver {

struct TfoChain {
  static constexpr std::string_view name = "tfo";
  static constexpr std::string_view summary = "Fast Open options, cookies, and data on the SYN";
  static constexpr std::uint32_t needs = Need::tcp_options;

  struct State {
    std::uint32_t sequence = 0;     // of the SYN
    std::uint32_t data_length = 0;  // octets of payload on the SYN
    std::uint32_t acknowledged = 0; // the SYN+ACK's acknowledgement number
    std::uint8_t syn_kind = 0, ack_kind = 0;
    std::uint8_t syn_cookie_length = 0, ack_cookie_length = 0;
  };

  inline static const auto fields = std::array{
      field("tfo_synkind", "kind of the option that carried Fast Open on the SYN", &State::syn_kind),
      field("tfo_ackkind", "kind of the option that carried Fast Open on the SYN+ACK", &State::ack_kind),
      field("tfo_synclen", "length of the cookie on the SYN", &State::syn_cookie_length).in("octets"),
      field("tfo_ackclen", "length of the cookie on the SYN+ACK", &State::ack_cookie_length).in("octets"),
      field("tfo_seq", "sequence number of the SYN", &State::sequence).ipfix_element("tcpSequenceNumber"),
      field("tfo_dlen", "payload of the SYN", &State::data_length).in("octets"),
      field("tfo_ack", "acknowledgement number of the SYN+ACK", &State::acknowledged)
          .ipfix_element("tcpAcknowledgementNumber"),
  };

  static bool tcp(State& state, PacketView packet, bool) noexcept {
    if (packet->tcp_flags & TCP_SYN) [[unlikely]]
      note_syn(state, packet);
    return true;
  }

private:
  struct Option {
    std::uint8_t kind = 0;
    std::uint8_t cookie_length = 0;
  };

  [[gnu::noinline]] static void note_syn(State& state, PacketView packet) noexcept {
    if (!(packet->tcp_flags & TCP_ACK)) {
      if (const auto option = fast_open(packet.tcp_options()); option.kind != 0)
        state = {packet->sequence,     packet->payload_length, 0, option.kind, state.ack_kind,
                 option.cookie_length, state.ack_cookie_length};
    } else if (state.syn_kind != 0) {
      state.acknowledged = packet->acknowledgement;
      if (const auto option = fast_open(packet.tcp_options()); option.kind != 0) {
        state.ack_kind = option.kind;
        state.ack_cookie_length = option.cookie_length;
      }
    }
  }

  /// The Fast Open option of a segment; kind 34 comes before 254, that before 255. Kind 0: there is none.
  static Option fast_open(std::span<const std::uint8_t> options) noexcept {
    Option found;
    for_each_tcp_option(options, [&](TcpOption option) {
      const bool experiment = (option.kind == TO_EXPA || option.kind == TO_EXPB) && option.value.size() >= 2 &&
                              option.value[0] == TO_EXID_FASTOPEN[0] && option.value[1] == TO_EXID_FASTOPEN[1];
      if (option.kind != TO_FASTOPEN && !experiment)
        return;
      if (found.kind == 0 || option.kind <= found.kind)
        found = {option.kind, static_cast<std::uint8_t>(option.value.size() - (experiment ? 2 : 0))};
    });
    return found;
  }
};

} // namespace orbweaver
