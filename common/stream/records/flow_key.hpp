// SPDX-License-Identifier: GPL-3.0-or-later
// What --flow-key may add to the five-tuple that tells flows apart.
#pragma once

#include <cstdint>
#include <string_view>

namespace orbweaver {

/// The bits of Need that "vlan,tunnel,icmp-id" asks for; `five-tuple`, which the key always has, may be among them.
/// Throws UsageError for what is none.
[[nodiscard]] std::uint32_t parse_flow_key(std::string_view text);

} // namespace orbweaver
