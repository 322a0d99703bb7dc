// SPDX-License-Identifier: GPL-3.0-or-later
// Lists of cores as in `--cpus 2,3-5`, and how they are dealt out to the stages.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace orbweaver {

/// Reads cores and ranges of cores separated by commas, in the order given: "2,3-5" is 2 3 4 5. A UsageError says what
/// is wrong with anything else. At most 1024 cores, numbered from 0.
[[nodiscard]] std::vector<int> parse_cpu_list(const std::string& text);

/// The core for the stage at that place (capture, observers, merger in this order), wrapping round; -1 (any core) where
/// the list is empty.
[[nodiscard]] int deal_cpu(const std::vector<int>& cpus, std::size_t place) noexcept;

} // namespace orbweaver
