// SPDX-License-Identifier: GPL-3.0-or-later
// What the observer program says of its chains, for those that do not link them: the front command and capture.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

struct ChainDescription {
  std::string name;
  std::string summary;
  std::vector<std::string> fields;
  std::uint32_t needs = 0; ///< what it needs of packets (Need)
};

/// Asks `orbweaver-observer --describe-chains` (a JSON array, an object a chain). Throws Error.
[[nodiscard]] std::vector<ChainDescription> describe_chains();

/// What these chains need of packets together (Need). A name that is not there is a UsageError that says the nearest
/// one.
[[nodiscard]] std::uint32_t needs_of(std::span<const std::string> names, std::span<const ChainDescription> chains);

/// The candidate nearest to `name` by edit distance, or an empty string where none is near.
[[nodiscard]] std::string nearest_name(const std::string& name, std::span<const std::string> candidates);

/// The error for a chain that does not exist: names the nearest one, or all of them.
[[nodiscard]] std::string unknown_chain(const std::string& name, std::span<const std::string> candidates);

} // namespace orbweaver
