// SPDX-License-Identifier: GPL-3.0-or-later
// Names of hosts as they are looked up and stand in a URL. No state, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace orbweaver {

/// A host's name in ASCII: an internationalized one by its A-labels (RFC 5891), any other as it is; or an IPv6 address.
/// Nothing where it is no name: octets that a name of a host does not have, or more than 253 of them.
[[nodiscard]] std::optional<std::string> host_name(std::string_view text);

} // namespace orbweaver
