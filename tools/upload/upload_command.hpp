// SPDX-License-Identifier: GPL-3.0-or-later
// `orbweaver upload`: result files, compressed, with their metadata, to a Path Transparency Observatory.
#pragma once

#include "common/process/options/command_line.hpp"

#include <string>
#include <vector>

namespace orbweaver {

struct UploadOptions {
  std::vector<std::string> files;
  std::string url = "https://v3.pto.mami-project.eu/raw/";
  std::string campaign;
  std::string token;
  std::string metadata; ///< a file; empty: made from the results
  std::vector<std::string> extras;
  unsigned retries = 3;
};

/// Adds `upload` to the front command; `options` must outlive it.
CommandLine& add_upload_command(CommandLine& front, UploadOptions& options);

/// Runs it and returns the exit status. Throws Error.
int upload(const UploadOptions& options);

} // namespace orbweaver
