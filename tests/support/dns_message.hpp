// SPDX-License-Identifier: GPL-3.0-or-later
// DNS messages (RFC 1035, section 4) for test packets: one question, and in a response one answer.
#pragma once

#include "tests/support/bytes.hpp"

namespace orbweaver::craft {

/// A recursive query for `name` ("example.org"), class IN; type 1 is A, 28 AAAA.
Bytes dns_query(std::uint16_t id, std::string_view name, std::uint16_t type = 1);

/// The response to that query; its answer is an A record with `address` (four octets) whatever the question's type.
/// A nonzero `rcode` (3: no such name) leaves the answer out.
Bytes dns_response(std::uint16_t id, std::string_view name, std::span<const std::uint8_t, 4> address,
                   std::uint8_t rcode = 0);

/// A message as TCP carries it: its length in two octets before it (RFC 1035, section 4.2.2).
Bytes dns_over_tcp(const Bytes& message);

} // namespace orbweaver::craft
