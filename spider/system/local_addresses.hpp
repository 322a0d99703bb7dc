// SPDX-License-Identifier: GPL-3.0-or-later
// Where connections come from: the addresses of the interface asked for, and what the user says of them. Read once, at
// start-up.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "spider/jobs/job.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

struct LocalAddresses {
  std::string interface;
  Address ip4{};        ///< version 0: it has none
  Address ip6{};        ///< a global one
  Address ip6_link{};   ///< for targets on the link
  Address public_ip4{}; ///< as others see it; version 0: not said
  Address public_ip6{};
  std::optional<std::uint32_t> asn;

  /// Asks the system; of several addresses of a family the first. Throws Error where there is no such interface, and
  /// names those that there are, or where it is down or has no address.
  static LocalAddresses of(const std::string& interface);

  /// Takes --public-address. Throws UsageError for what is no address.
  void set_public(const std::vector<std::string>& addresses);

  /// The address from which to reach a target; version 0 where there is none.
  [[nodiscard]] Address source_for(const Address& target) const noexcept;

  /// Appends what the spider knows of a job's path to its members: sip, path, sip_public, sip_asn. The path is what is
  /// known of [sip, public address if it is another, source AS, destination AS, dip].
  void describe(const Job& job, std::string& members) const;
};

} // namespace orbweaver
