// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/input_list.hpp"

#include "common/error.hpp"
#include "common/system/network_interface.hpp"

#include <algorithm>
#include <filesystem>
#include <glob.h>
#include <system_error>

namespace orbweaver {
namespace {

namespace fs = std::filesystem;

void add_folder(const std::string& folder, InputList& list) {
  std::error_code error;
  std::vector<std::string> files;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code none;
    const auto path = entry->path();
    if (path.filename().native().starts_with('.'))
      continue;
    if (entry->is_directory(none))
      list.folders.push_back(path);
    else if (entry->is_regular_file(none))
      files.push_back(path);
  }
  if (error)
    list.missing.push_back({folder, folder + ": the folder cannot be read: " + error.message()});
  else if (files.empty())
    list.missing.push_back({folder, folder + ": the folder has no files"});
  std::ranges::sort(files);
  for (auto& file : files)
    list.inputs.push_back({std::move(file), true, false});
}

void add_pattern(const std::string& pattern, InputList& list) {
  glob_t found{};
  const int result = glob(pattern.c_str(), GLOB_MARK, nullptr, &found);
  std::size_t files = 0;
  for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) {
    std::string path = found.gl_pathv[i];
    if (path.ends_with('/')) {
      list.folders.push_back(path.substr(0, path.size() - 1));
      continue;
    }
    list.inputs.push_back({std::move(path), false, true});
    ++files;
  }
  globfree(&found);
  if (files == 0)
    list.missing.push_back({pattern, pattern + ": no file matches this pattern"});
}

} // namespace

bool is_pattern(const std::string& name) {
  std::error_code none;
  return name.find_first_of("*?[") != std::string::npos &&
         fs::symlink_status(name, none).type() == fs::file_type::not_found && !interface_exists(name);
}

InputList list_inputs(const std::vector<std::string>& given) {
  InputList list;
  for (const auto& name : given) {
    std::error_code none;
    if (is_pattern(name))
      add_pattern(name, list);
    else if (!interface_exists(name) && fs::is_directory(name, none))
      add_folder(name, list);
    else
      list.inputs.push_back({name, false, false});
  }
  return list;
}

} // namespace orbweaver
