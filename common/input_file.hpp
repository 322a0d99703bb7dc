// SPDX-License-Identifier: GPL-3.0-or-later
// Which file a source stands for, so that nobody writes over what is being read. At start-up.
#pragma once

#include <filesystem>
#include <string>

namespace orbweaver {

/// The path of the regular file that a source names: by its path, after the format of a libtrace URI, or as standard
/// input ("-"). Empty where it names none.
[[nodiscard]] inline std::string input_file(const std::string& source) {
  std::error_code none;
  for (const auto& path : {source == "-" ? std::string("/dev/stdin") : source, source.substr(source.find(':') + 1)})
    if (std::filesystem::is_regular_file(path, none))
      return path;
  return {};
}

} // namespace orbweaver
