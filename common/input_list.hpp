// SPDX-License-Identifier: GPL-3.0-or-later
// What the user's -i stand for, one after the other: names as they are, patterns of files ("night/*.pcap") and folders
// as the files that they have, sorted by name. At start-up.
#pragma once

#include <string>
#include <vector>

namespace orbweaver {

struct ListedInput {
  std::string name;
  bool of_folder = false;  ///< found in a folder that was named, not named itself
  bool of_pattern = false; ///< matches one
};

/// A pattern or a folder that has no file.
struct MissingInput {
  std::string name;
  std::string why; ///< a line that says so, the name included
};

struct InputList {
  std::vector<ListedInput> inputs;
  std::vector<MissingInput> missing;
  std::vector<std::string> folders; ///< within those folders, or matched by patterns: they are not looked into
};

/// Whether it is a pattern: it has one of *?[ and is neither the name of a file nor of an interface.
[[nodiscard]] bool is_pattern(const std::string& name);

/// An interface goes before a folder of the same name. Names that begin with a dot are not found in folders; nor is
/// what is no regular file.
[[nodiscard]] InputList list_inputs(const std::vector<std::string>& given);

} // namespace orbweaver
