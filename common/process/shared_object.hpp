// SPDX-License-Identifier: GPL-3.0-or-later
// Plugins and chains of others: shared objects, built against the installed headers, found at start. An object exports
// one table or more, each for one stage: `orbweaver_chains` (observer), `orbweaver_plugins` (spider) and
// `orbweaver_conditions` (merger). Each table begins with a SharedTable, which tells its interface version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

/// Changes with anything in the installed headers that an object is built against.
inline constexpr std::uint32_t plugin_interface_version = 3;

struct SharedTable {
  std::uint32_t interface_version = plugin_interface_version;
  std::uint32_t count = 0;       ///< entries
  const void* entries = nullptr; ///< an array; of what, the symbol's name says
};

/// A table that was found.
struct FoundTable {
  const SharedTable* table;
  std::string origin; ///< path of the shared object
};

/// The tables of that symbol in every `*.so` of the folders of ORBWEAVER_PLUGIN_PATH (separated by colons) and of the
/// installed plugin folder, folders in that order, objects by name. The objects stay loaded. One that cannot be loaded,
/// or that was built for another interface version, is left out with a warning that names it; one without the symbol
/// is for another stage.
[[nodiscard]] std::vector<FoundTable> find_shared_tables(const char* symbol);

} // namespace orbweaver
