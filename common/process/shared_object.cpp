// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/shared_object.hpp"

#include "config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>
#include <spdlog/spdlog.h>
#include <sstream>

namespace orbweaver {

namespace {

namespace fs = std::filesystem;

/// What an object of ours exports at least one of.
constexpr std::array table_symbols{"orbweaver_chains", "orbweaver_plugins", "orbweaver_conditions"};

std::vector<std::string> plugin_folders() {
  std::vector<std::string> folders;
  const char* const path = std::getenv("ORBWEAVER_PLUGIN_PATH");
  std::istringstream list(path ? path : "");
  for (std::string folder; std::getline(list, folder, ':');)
    if (!folder.empty())
      folders.push_back(folder);
  folders.emplace_back(ORBWEAVER_PLUGINDIR);
  return folders;
}

/// The `*.so` of a folder by name; nothing where there is no such folder.
std::vector<fs::path> objects_in(const std::string& folder) {
  std::vector<fs::path> objects;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (entry.path().extension() == ".so" && entry.is_regular_file(none))
      objects.push_back(fs::absolute(entry.path()));
  std::sort(objects.begin(), objects.end());
  return objects;
}

/// The table of that symbol; nullptr where there is none, or none that can be used: then a warning says why.
const SharedTable* table_in(const fs::path& object, const char* symbol) {
  void* const handle = dlopen(object.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    spdlog::warn("left out, it cannot be loaded: {}", dlerror());
    return nullptr;
  }
  const auto* const table = static_cast<const SharedTable*>(dlsym(handle, symbol));
  if (!table) {
    if (std::none_of(table_symbols.begin(), table_symbols.end(), [&](auto name) { return dlsym(handle, name); }))
      spdlog::warn("left out: {} exports neither chains nor plugins nor conditions", object.string());
    return nullptr;
  }
  if (table->interface_version != plugin_interface_version) {
    spdlog::warn("left out: {} was built for plugin interface {}, this is {}; build it again with the headers of this "
                 "version",
                 object.string(), table->interface_version, plugin_interface_version);
    return nullptr;
  }
  return table;
}

} // namespace

std::vector<FoundTable> find_shared_tables(const char* symbol) {
  std::vector<FoundTable> found;
  for (const auto& folder : plugin_folders())
    for (const auto& object : objects_in(folder))
      if (const auto* table = table_in(object, symbol))
        found.push_back({table, object.string()});
  return found;
}

} // namespace orbweaver
