// SPDX-License-Identifier: GPL-3.0-or-later
// The DNS messages of the spider: queries for addresses, and what may answer them (RFC 1035, 4). Made and parsed by
// ldns. No state, any thread.
#pragma once

#include "spider/connect/connect.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// The name that a request asks for: its domain, or its destination's address as text where it has none. A name of that
/// sort does not exist, but to say so is an answer too.
[[nodiscard]] std::string dns_name(const ConnectRequest& request);

/// A recursive query for the A records of `name`, with a random id. Empty where that is no name (a label of more than
/// 63 octets, an empty one, more than 255 octets).
[[nodiscard]] std::vector<std::uint8_t> make_dns_query(const std::string& name);

struct DnsAnswer {
  unsigned rcode;   ///< 0: no error (IANA DNS parameters)
  unsigned answers; ///< records in the answer section
};

/// What a message says, if it is a response to that query: it parses, with its id, and no other question.
[[nodiscard]] std::optional<DnsAnswer> read_dns_response(std::span<const std::uint8_t> query,
                                                         std::span<const std::uint8_t> message);

enum class DnsType { a = 1, aaaa = 28 };

/// What a response says of a name's addresses.
struct DnsAddresses {
  unsigned rcode = 0;
  bool is_recursive = false; ///< who sent it asks others: aliases were followed to their end
  std::vector<Address> addresses;
  std::string alias; ///< the end of the chain of CNAMEs; empty: there is none
};

/// Reads a response to a query of that type for `name`; nothing where it does not parse. Aliases are followed as far as
/// the response has them, each once.
[[nodiscard]] std::optional<DnsAddresses> read_dns_addresses(std::span<const std::uint8_t> message,
                                                             const std::string& name, DnsType type);

/// "NXDOMAIN", "SERVFAIL"; "rcode 23" (IANA DNS parameters).
[[nodiscard]] std::string rcode_name(unsigned rcode);

} // namespace orbweaver
