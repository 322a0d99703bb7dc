// SPDX-License-Identifier: GPL-3.0-or-later
// Errors of the command line that say what was meant: the nearest subcommand or option to a mistyped one.
#pragma once

#include "common/process/options/command_line.hpp"

#include <span>
#include <string>

namespace orbweaver {

/// One line for a command line that cannot be parsed, with where to read on.
[[nodiscard]] std::string usage_error(const CommandLine& front, const CommandLineError& error);

/// Refuses, as a UsageError, an argument that is empty and an option like `--count=`, which would take the next
/// argument for its value.
void refuse_empty_values(std::span<const char* const> arguments);

} // namespace orbweaver
