// SPDX-License-Identifier: GPL-3.0-or-later
// TCP's flags and option kinds under the names that users know, and the option parser that all chains share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace orbweaver {

// Flags of the TCP header's 14th octet (RFC 9293, 3.1; RFC 3168, 6.1).
inline constexpr std::uint8_t TCP_CWR = 0x80;
inline constexpr std::uint8_t TCP_ECE = 0x40;
inline constexpr std::uint8_t TCP_URG = 0x20;
inline constexpr std::uint8_t TCP_ACK = 0x10;
inline constexpr std::uint8_t TCP_PSH = 0x08;
inline constexpr std::uint8_t TCP_RST = 0x04;
inline constexpr std::uint8_t TCP_SYN = 0x02;
inline constexpr std::uint8_t TCP_FIN = 0x01;
/// Accurate ECN's flag, the last bit of the octet before (RFC 9768, 3.1).
inline constexpr std::uint16_t TCP_AE = 0x100;

inline constexpr std::uint8_t TCP_SA = TCP_SYN | TCP_ACK;                       ///< 0x12
inline constexpr std::uint8_t TCP_SAE = TCP_SYN | TCP_ACK | TCP_ECE;            ///< 0x52
inline constexpr std::uint8_t TCP_SEC = TCP_SYN | TCP_ECE | TCP_CWR;            ///< 0xC2
inline constexpr std::uint8_t TCP_SAEC = TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR; ///< 0xD2

// Option kinds (IANA TCP parameters).
inline constexpr std::uint8_t TO_EOL = 0;
inline constexpr std::uint8_t TO_NOP = 1;
inline constexpr std::uint8_t TO_MSS = 2;
inline constexpr std::uint8_t TO_WS = 3;
inline constexpr std::uint8_t TO_SACKOK = 4;
inline constexpr std::uint8_t TO_SACK = 5;
inline constexpr std::uint8_t TO_TS = 8;
inline constexpr std::uint8_t TO_MPTCP = 30;
inline constexpr std::uint8_t TO_FASTOPEN = 34;
inline constexpr std::uint8_t TO_EXPA = 254;
inline constexpr std::uint8_t TO_EXPB = 255;
/// The experiment identifier of Fast Open in options 254 and 255 (RFC 6994, RFC 7413 appendix).
inline constexpr std::uint8_t TO_EXID_FASTOPEN[2] = {0xF9, 0x89};

/// One option; `value` is without the kind and length octets.
struct TcpOption {
  std::uint8_t kind;
  std::span<const std::uint8_t> value;
};

/// Calls `visit(TcpOption)` for every option in order, repeated ones too, NOP left out. The list ends at EOL, and at an
/// option whose length octet is missing, below 2, or runs past `options` (RFC 9293, 3.1).
template <typename Visit>
constexpr void for_each_tcp_option(std::span<const std::uint8_t> options, Visit&& visit) noexcept {
  std::size_t at = 0;
  while (at < options.size() && options[at] != TO_EOL) {
    if (options[at] == TO_NOP) {
      ++at;
      continue;
    }
    if (at + 1 == options.size())
      return;
    const std::size_t length = options[at + 1];
    if (length < 2 || length > options.size() - at)
      return;
    visit(TcpOption{options[at], options.subspan(at + 2, length - 2)});
    at += length;
  }
}

} // namespace orbweaver
