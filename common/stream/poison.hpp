// SPDX-License-Identifier: GPL-3.0-or-later
// Records that a stage dies of, put where somebody can look at them: the one that follows it writes a recording of such
// a record to a descriptor that it was handed, since it may open nothing; the front command makes a file of that.
#pragma once

#include "common/stream/description.hpp"
#include "common/stream/record.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// Writes a recording of that record alone, which a stage reads as file:…, in one piece. False where it cannot.
bool write_poison(int fd, const StreamDescription& stream, const RecordHeader& record);

/// The same of several records, each as its octets with its header and without padding.
bool write_poison(int fd, const StreamDescription& stream, std::span<const std::string> records);

/// The recordings that were written one after another, whoever wrote them; what is none is part of the last one.
[[nodiscard]] std::vector<std::string_view> recordings_in(std::string_view octets);

} // namespace orbweaver
