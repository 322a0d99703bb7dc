// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/conditions/library.hpp"

#include "common/error.hpp"
#include "common/process/shared_object.hpp"

#include <string>

namespace orbweaver {

CombinerEntry find_combiner(std::string_view plugin) {
  std::string names;
  const auto note = [&names](std::string_view name) {
    names += names.empty() ? "" : ", ";
    names += name;
  };
  for (const auto* entry : library_combiners) {
    if (entry->plugin == plugin)
      return *entry;
    note(entry->plugin);
  }
  for (const auto& found : find_shared_tables("orbweaver_conditions", conditions_interface_version)) {
    const auto* const entries = static_cast<const CombinerEntry*>(found.table->entries);
    for (std::uint32_t i = 0; i < found.table->count; ++i) {
      if (entries[i].plugin == plugin)
        return entries[i];
      note(entries[i].plugin);
    }
  }
  throw UsageError("there are no conditions for a plugin \"" + std::string(plugin) + "\"; there are: " + names);
}

/// It looks names up and makes no connections, so that there is nothing to say about a path.
constinit const CombinerEntry dnsresolv_combiner{"dnsresolv", [](const JobFlows&, Conditions&) {}, 0, {}};

} // namespace orbweaver
