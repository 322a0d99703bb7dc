// SPDX-License-Identifier: GPL-3.0-or-later
// What an option that is a number accepts, in all programs alike. At start-up.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace orbweaver {

/// Looks at the text of a value, may put another in its place, and returns what is wrong with it, or nothing.
using ValueCheck = std::function<std::string(std::string&)>;

/// Takes a whole number within bounds, both included, and hands it on in plain decimal: CLI11 itself would read -1 as
/// 2^64 - 1, and 010 as 8. To be given to transform(). The help says nothing of it.
[[nodiscard]] ValueCheck whole_number(std::uint64_t low, std::uint64_t high);
/// The same where it may be below 0.
[[nodiscard]] ValueCheck signed_whole_number(std::int64_t low, std::int64_t high);
/// Takes a number within bounds, both included: seconds, or connections a second.
[[nodiscard]] ValueCheck number(double low, double high);

} // namespace orbweaver
