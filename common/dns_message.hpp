// SPDX-License-Identifier: GPL-3.0-or-later
// Whether octets are a DNS response: what parses is not yet one. Parsed by ldns, which allocates. No state, any thread.
#pragma once

#include <cstdint>
#include <span>

namespace orbweaver {

/// Whether `message` (a whole one, without TCP's length prefix) is a DNS response (RFC 1035, 4): QR is set, opcode,
/// response code and classes are assigned (IANA, DNS parameters), and its records, each of which parses, end with its
/// last octet. One that has no records is an error's (RFC 1035, 4.1.1), or answers an update (RFC 2136, 3.8), or is of
/// DNS stateful operations, whose messages follow (RFC 8490, 5.4). `multicast`: the upper bit of classes is a flag
/// (RFC 6762, 10.2 and 18.12).
[[nodiscard]] bool is_dns_response(std::span<const std::uint8_t> message, bool multicast = false) noexcept;

} // namespace orbweaver
