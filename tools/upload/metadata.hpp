// SPDX-License-Identifier: GPL-3.0-or-later
// The metadata of a result file, as a Path Transparency Observatory wants it, and `orbweaver metadata`, which writes it
// beside the file.
#pragma once

#include "common/process/options/command_line.hpp"

#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

/// Members of a JSON object, in order.
using Tags = std::vector<std::pair<std::string, std::string>>;

/// "TAG:VALUE" each; the value may have colons of its own. Throws UsageError for one without a tag, or which is not
/// UTF-8.
[[nodiscard]] Tags parse_tags(const std::vector<std::string>& texts);

/// `_time_start` and `_time_end`, the earliest `time.from` and the latest `time.to` of the results, in UTC by the
/// second; `_file_type`; and the extras, which replace a member of the same name. Throws Error that names file and line
/// where a line is no result, or the file has none.
[[nodiscard]] Tags metadata_of(const std::string& path, const Tags& extras);

/// As JSON, indented.
[[nodiscard]] std::string metadata_json(const Tags& metadata);

struct MetadataOptions {
  std::vector<std::string> files;
  std::vector<std::string> extras;
};

/// Adds `metadata` to the front command; `options` must outlive it.
CommandLine& add_metadata_command(CommandLine& front, MetadataOptions& options);

/// Writes FILE.meta.json for each file, once all of them are read and can be written; returns the exit status. Throws
/// Error; what was there before then is as it was.
int write_metadata(const MetadataOptions& options);

} // namespace orbweaver
