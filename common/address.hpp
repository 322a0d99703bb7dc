// SPDX-License-Identifier: GPL-3.0-or-later
// Addresses as text, both ways. No state, any thread.
#pragma once

#include "common/stream/records/flow_record.hpp"

#include <string>
#include <string_view>

namespace orbweaver {

/// An address as text, IPv4 dotted or IPv6 (RFC 4291, 2.2), nothing around it; version 0 where it is none.
[[nodiscard]] Address parse_address(std::string_view text) noexcept;

/// The other way round, IPv6 by RFC 5952. `address` is IPv4 or IPv6.
[[nodiscard]] std::string address_text(const Address& address);

} // namespace orbweaver
