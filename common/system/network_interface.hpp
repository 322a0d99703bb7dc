// SPDX-License-Identifier: GPL-3.0-or-later
// What there is to capture from and to send from: this machine's network interfaces. At start-up.
#pragma once

#include <string>

namespace orbweaver {

[[nodiscard]] bool interface_exists(const std::string& name);

/// "lo, eth0"; "none".
[[nodiscard]] std::string interface_names();

/// Throws Error where there is no such interface, naming those that there are, or where it is down.
void require_interface(const std::string& name);

/// False where it cannot be found out.
[[nodiscard]] bool interface_is_loopback(const std::string& name);

/// Whether an IPv4 or IPv6 address stands on it.
[[nodiscard]] bool interface_has_address(const std::string& name);

} // namespace orbweaver
