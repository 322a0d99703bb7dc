// SPDX-License-Identifier: GPL-3.0-or-later
// What the observer program says of its chains, for those that do not link them: the front command and capture.
#pragma once

#include "common/json/builder.hpp"
#include "common/stream/description.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

struct ChainOptionDescription {
  std::string name;
  std::string help;
  std::string default_value;
  std::string values; ///< what it takes, in words
};

struct ChainDescription {
  std::string name;
  std::string summary;
  std::uint32_t needs = 0; ///< what it needs of packets (Need)
  bool completes = false;  ///< it may say that a flow is complete
  std::vector<ChainOptionDescription> options;
  StreamDescription stream; ///< that it gives when it is chosen alone

  /// The fields that it adds to a table of its stream.
  [[nodiscard]] std::vector<FieldDescription> fields_of(const TableDescription& table) const;
};

/// Asks `orbweaver-observer --describe-chains` (a JSON array, an object a chain). Throws Error.
[[nodiscard]] std::vector<ChainDescription> describe_chains();

/// Adds a chain's options to a list, an object an option.
void describe(std::span<const ChainOptionDescription> options, json::Array list);

/// The same array, as the observer prints it.
[[nodiscard]] std::string chains_json(std::span<const ChainDescription> chains);

/// What these chains need of packets together (Need); options behind a name are not looked at. A name that is not there
/// is a UsageError that says the nearest one.
[[nodiscard]] std::uint32_t needs_of(std::span<const std::string> requests, std::span<const ChainDescription> chains);

/// The candidate nearest to `name` by edit distance, or an empty string where none is near.
[[nodiscard]] std::string nearest_name(const std::string& name, std::span<const std::string> candidates);

/// The error for a name that does not exist, which `what` says: names the nearest one, or all of them.
[[nodiscard]] std::string unknown_name(const std::string& what, const std::string& name,
                                       std::span<const std::string> candidates);
/// That for a chain.
[[nodiscard]] std::string unknown_chain(const std::string& name, std::span<const std::string> candidates);

} // namespace orbweaver
