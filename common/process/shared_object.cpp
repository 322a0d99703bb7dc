// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/shared_object.hpp"

#include "common/trusted_file.hpp"
#include "config.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <filesystem>
#include <spdlog/spdlog.h>
#include <sstream>
#include <string>

namespace orbweaver {

namespace {

namespace fs = std::filesystem;

/// What an object of ours exports at least one of.
constexpr std::array table_symbols{"orbweaver_chains", "orbweaver_plugins", "orbweaver_conditions"};

std::vector<std::string> plugin_folders() {
  std::vector<std::string> folders;
  const char* const path = secure_getenv("ORBWEAVER_PLUGIN_PATH");
  std::istringstream list(path ? path : "");
  for (std::string folder; std::getline(list, folder, ':');)
    if (!folder.empty())
      folders.push_back(folder);
  folders.emplace_back(ORBWEAVER_PLUGINDIR);
  return folders;
}

/// An open folder of objects. Its files are reached through its descriptor, so that it is the folder that was checked,
/// whatever becomes of its path.
struct Folder {
  fs::path path;
  FileDescriptor file;

  [[nodiscard]] std::string inside() const { return "/proc/self/fd/" + std::to_string(file.get()); }
};

/// Empty where there is none, or none that is believed: then a warning says why.
FileDescriptor open_folder(const std::string& path) {
  // A symbolic link to a folder is one: what it leads to is what is checked.
  FileDescriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!folder || fstat(folder.get(), &status) != 0 || is_trusted(status, code_folder))
    return folder;
  spdlog::warn("no plugins are loaded from {}: it {}", path, why_not_trusted(status, code_folder));
  return FileDescriptor();
}

/// The `*.so` of a folder, by name.
std::vector<std::string> objects_in(const Folder& folder) {
  std::vector<std::string> objects;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder.inside(), none))
    if (entry.path().extension() == ".so")
      objects.push_back(entry.path().filename());
  std::sort(objects.begin(), objects.end());
  return objects;
}

/// Loads an object that is believed; nullptr, and a warning, where it is not or cannot be.
void* load(const Folder& folder, const std::string& name) {
  const std::string path = folder.path / name, inside = folder.inside() + "/" + name;
  std::string why;
  if (!open_trusted(folder.file.get(), name, O_RDONLY, code_file, why)) {
    if (!why.empty())
      spdlog::warn("left out: {} {}", path, why);
    return nullptr;
  }
  // Nobody else can put another file there: that is what the folder was checked for.
  void* const handle = dlopen(inside.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    std::string problem = dlerror();
    if (const auto at = problem.find(inside); at != std::string::npos)
      problem.replace(at, inside.size(), path);
    spdlog::warn("left out, it cannot be loaded: {}", problem);
  }
  return handle;
}

/// The table of that symbol in a loaded object; nullptr where there is none, or none that can be used: then a warning
/// says why.
const SharedTable* table_in(void* handle, const std::string& path, const char* symbol, std::uint32_t version) {
  const auto* const table = static_cast<const SharedTable*>(dlsym(handle, symbol));
  if (!table) {
    if (std::none_of(table_symbols.begin(), table_symbols.end(), [&](auto name) { return dlsym(handle, name); }))
      spdlog::warn("left out: {} exports neither chains nor plugins nor conditions", path);
    return nullptr;
  }
  if (table->interface_version != version) {
    spdlog::warn(
        "left out: {} of {} was built for interface version {}, this is {}; build it again with the headers of "
        "this version",
        symbol, path, table->interface_version, version);
    return nullptr;
  }
  if (table->names == &own_names) {
    spdlog::warn("left out: {} was built without -fvisibility=hidden, so that names in it may be taken for others that "
                 "are called alike; build it with that flag",
                 path);
    return nullptr;
  }
  return table;
}

} // namespace

std::vector<FoundTable> find_shared_tables(const char* symbol, std::uint32_t version) {
  std::vector<FoundTable> found;
  for (const std::string& path : plugin_folders()) {
    Folder folder{fs::absolute(path).lexically_normal(), open_folder(path)};
    bool loaded = false;
    for (const std::string& name : folder.file ? objects_in(folder) : std::vector<std::string>()) {
      void* const handle = load(folder, name);
      loaded = loaded || handle;
      const std::string origin = folder.path / name;
      if (const auto* table = handle ? table_in(handle, origin, symbol, version) : nullptr)
        found.push_back({table, origin});
    }
    // The loader knows its objects by their paths, which this descriptor's number is a part of: it is not given again.
    if (loaded)
      static_cast<void>(folder.file.release());
  }
  return found;
}

} // namespace orbweaver
