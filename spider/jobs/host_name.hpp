// SPDX-License-Identifier: GPL-3.0-or-later
// Names of hosts as they are looked up and stand in a URL. No state, any thread.
#pragma once

#include <string>
#include <string_view>

namespace orbweaver {

struct HostName {
  std::string name;         ///< empty where it is none
  std::string problem = {}; ///< why, in a few words
};

/// A host's name in ASCII: an internationalized one by its A-labels (RFC 5891), any other as it is; or an IPv6 address.
/// One dot may end it. No name is what has octets that a name of a host does not have, an empty label, or more than 253
/// octets in all; whether the DNS can have it is seen where it is looked up.
[[nodiscard]] HostName host_name(std::string_view text);

} // namespace orbweaver
