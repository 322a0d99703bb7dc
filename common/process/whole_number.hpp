// SPDX-License-Identifier: GPL-3.0-or-later
// What an option that is a whole number accepts, in all programs alike. At start-up.
#pragma once

#include <cstdint>

namespace CLI {
class Validator;
}

namespace orbweaver {

/// Takes a whole number within bounds, both included, and hands it on in plain decimal: CLI11 itself would read -1 as
/// 2^64 - 1, and 010 as 8. To be given to transform(). The help says nothing of it.
[[nodiscard]] CLI::Validator whole_number(std::uint64_t low, std::uint64_t high);
/// The same where it may be below 0.
[[nodiscard]] CLI::Validator signed_whole_number(std::int64_t low, std::int64_t high);

} // namespace orbweaver
