// SPDX-License-Identifier: GPL-3.0-or-later
// The sysctls that plugins change: all that a session sets, and all that it is put back from its journal. A plugin that
// needs another adds it here. No state, any thread.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace orbweaver {

/// Each is of one network namespace, and a number that the kernel keeps in one octet.
inline constexpr std::array<std::string_view, 5> changed_sysctls{
    "net.ipv4.tcp_ecn",            // RFC 3168: 0 off, 1 asks for it, 2 grants it
    "net.ipv4.tcp_ecn_fallback",   // RFC 3168, 6.1.1.1: 1: a lost SYN that asked for it is followed by one that does not
    "net.ipv4.tcp_sack",           // RFC 2018
    "net.ipv4.tcp_timestamps",     // RFC 7323: 0 off, 1 on, 2 without random offsets
    "net.ipv4.tcp_window_scaling", // RFC 7323
};

/// Why a sysctl is neither set nor put back, or empty.
[[nodiscard]] inline std::string sysctl_refusal(std::string_view name) {
  if (std::find(changed_sysctls.begin(), changed_sysctls.end(), name) != changed_sysctls.end())
    return {};
  std::string list;
  for (const auto known : changed_sysctls)
    list.append(list.empty() ? "" : ", ").append(known);
  return "it is not one of those that Orbweaver changes (" + list + "; common/system/sysctl_list.hpp)";
}

/// The same with the value that it is to get: a whole number from 0 to 255.
[[nodiscard]] inline std::string sysctl_refusal(std::string_view name, std::string_view value) {
  std::string why = sysctl_refusal(name);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (why.empty() && (error != std::errc() || end != value.data() + value.size() || number > 255))
    why = "its value is a whole number from 0 to 255";
  return why;
}

} // namespace orbweaver
