// SPDX-License-Identifier: GPL-3.0-or-later
// How others see this machine, asked of a server that tells it: once, before the first job, where the user named one.
#pragma once

#include "spider/system/local_addresses.hpp"
#include "spider/system/route_finder.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orbweaver {

struct PublicAddress {
  Address address{};
  std::optional<std::uint32_t> asn;
};

/// Reads what such a server says: an address as text, or a JSON object with "ip" and, where it knows more, "asn" (64500
/// or "AS64500") or "org" ("AS64500 Example Net"). Throws Error where there is no address in it.
[[nodiscard]] PublicAddress parse_public_address(std::string_view answer);

/// Throws UsageError where it is no URL of http or https.
void check_look_up_url(const std::string& url);

/// So much of an answer is read; nobody who means an address says more.
inline constexpr std::size_t max_look_up_octets = 65'536;

/// Asks, with one GET for each family, from the address that `routes` has for the server, and completes public_ip4,
/// public_ip6 and asn of `local`; what the user said of them stays. A look-up that fails, takes longer than `patience`,
/// or is cut short by `stop` is logged, and leaves them as they were; so does, without a word, one for a family of
/// which there is no route to the server's addresses, or none of it.
void look_up_public(const std::string& url, LocalAddresses& local, RouteFinder& routes, const std::atomic<bool>& stop,
                    std::chrono::milliseconds patience = std::chrono::seconds(10));

} // namespace orbweaver
