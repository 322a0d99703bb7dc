// SPDX-License-Identifier: GPL-3.0-or-later
// Plugins and chains of others: shared objects, built against the installed headers, found at start. An object exports
// one table or more, each for one stage: `orbweaver_chains` (observer), `orbweaver_plugins` (spider) and
// `orbweaver_conditions` (merger). Each table begins with a SharedTable, which tells its interface version.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

/// An object that is built without -fvisibility=hidden lets others see its names, and the dynamic linker takes those of
/// the program, or of another object, that are called alike in their place: a chain would be run with another's fields.
/// Then this is the program's too, and no more its own.
inline const char own_names = 0;

struct SharedTable {
  std::uint32_t interface_version; ///< of its kind: chains, plugins and conditions each have one of their own
  std::uint32_t count;             ///< entries
  const void* entries;             ///< an array; of what, the symbol's name says
  const char* names = &own_names;
};

/// A table that was found.
struct FoundTable {
  const SharedTable* table;
  std::string origin; ///< path of the shared object
};

/// The tables of that symbol and interface version in every `*.so` of the folders of ORBWEAVER_PLUGIN_PATH (separated
/// by colons) and of the installed plugin folder, folders in that order, objects by name. The objects stay loaded. One
/// that cannot be loaded, whose names others can see, or whose table is of another version, is left out with a warning
/// that names it; one without the symbol is for another stage. Folders and objects are `code_folder` and `code_file`
/// (trusted_file.hpp), so that nobody but root and the effective user says what runs here; others are left out with a
/// warning too. A program with more rights than its caller (set-user-ID, file capabilities) does not look at
/// ORBWEAVER_PLUGIN_PATH.
[[nodiscard]] std::vector<FoundTable> find_shared_tables(const char* symbol, std::uint32_t version);

} // namespace orbweaver
