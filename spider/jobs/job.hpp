// SPDX-License-Identifier: GPL-3.0-or-later
// A job: one target to measure, as it came in and as the spider reads it. Made by the job reader, owned by the engine.
#pragma once

#include "common/stream/records/flow_record.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace orbweaver {

struct Job {
  std::uint64_t id = 0;                          ///< counts from 1
  std::uint64_t line = 0;                        ///< of the input, from 1
  Address destination{};                         ///< `dip`; version 0 where the job has none
  std::optional<std::uint16_t> destination_port; ///< `dp`
  std::string domain;                            ///< as host_name() has it; empty where the job has none
  std::optional<std::uint32_t> destination_asn;  ///< `dip_asn` or `info.ASN`
  /// The job's members as JSON text without braces, keys that begin with `_` left out, values as they came, keys
  /// escaped only where they must be; without those that the spider writes itself (`sip`, `path`, `sip_public`,
  /// `sip_asn`, `not_measured`), and a `dp` of null.
  std::string members;
  /// The whole object as it came, for plugins that look for more.
  std::string text;
};

} // namespace orbweaver
