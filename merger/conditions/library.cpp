// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/conditions/library.hpp"

#include "common/error.hpp"
#include "common/process/shared_object.hpp"

#include <spdlog/spdlog.h>
#include <string>
#include <utility>

namespace orbweaver {

CombinerEntry find_combiner(std::string_view plugin) {
  std::string names;
  const auto note = [&names](std::string_view name) {
    names += names.empty() ? "" : ", ";
    names += name;
  };
  const CombinerEntry* chosen = nullptr;
  for (const auto* entry : library_combiners)
    if (entry->plugin == plugin)
      chosen = entry;
    else
      note(entry->plugin);
  for (const auto& found : find_shared_tables("orbweaver_conditions", conditions_interface_version)) {
    const auto* const entries = static_cast<const CombinerEntry*>(found.table->entries);
    for (std::uint32_t i = 0; i < found.table->count; ++i) {
      if (entries[i].plugin != plugin)
        note(entries[i].plugin);
      else if (std::exchange(chosen, chosen ? chosen : &entries[i]))
        spdlog::warn("{}: its conditions of {} are left out: there are some already", found.origin, plugin);
    }
  }
  if (chosen)
    return *chosen;
  throw UsageError("there are no conditions for a plugin \"" + std::string(plugin) + "\"; there are: " + names);
}

/// It looks names up and makes no connections, so that there is nothing to say about a path.
constinit const CombinerEntry dnsresolv_combiner{"dnsresolv", [](const JobFlows&, Conditions&) {}, 0, {}};

} // namespace orbweaver
