// SPDX-License-Identifier: GPL-3.0-or-later
// Where connections come from: the interface asked for, and what the user says of this machine's addresses. Read once,
// at start-up; from which address a target is reached is asked for each (route_finder.hpp).
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
  Address source4{}; ///< --source; version 0: the kernel's choice
  Address source6{};
  Address public_ip4{}; ///< as others see it; version 0: not said
  Address public_ip6{};
  std::optional<std::uint32_t> asn;

  /// Throws Error where there is no such interface, and names those that there are, or where it is down. Where it has
  /// no address, packets may still leave by it from another one's.
  static LocalAddresses of(const std::string& interface);

  /// Takes --source. Throws UsageError for what is no address of this machine, or a second one of a family.
  void set_sources(const std::vector<std::string>& addresses);

  /// Takes --public-address. Throws UsageError for what is no address.
  void set_public(const std::vector<std::string>& addresses);

  /// Appends what the spider knows of a job's path to its members: sip (where `source` is known), path, sip_public,
  /// sip_asn. The path is what is known of [sip, public address if it is another, source AS, destination AS, dip].
  void describe(const Job& job, const Address& source, std::string& members) const;
};

} // namespace orbweaver
