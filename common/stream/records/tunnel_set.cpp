// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/tunnel_set.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <string>

namespace orbweaver {
namespace {

std::string known_names() {
  std::string names;
  for (std::size_t kind = 1; kind <= tunnel_kinds; ++kind)
    names.append(kind == 1 ? "" : ", ").append(tunnel_names[kind]);
  return names;
}

} // namespace

TunnelSet TunnelSet::parse(std::string_view text) {
  TunnelSet set;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const auto* const found = std::find(std::begin(tunnel_names) + 1, std::end(tunnel_names), name);
    if (name == "all")
      set = all();
    else if (found != std::end(tunnel_names))
      set.add(static_cast<TunnelKind>(found - std::begin(tunnel_names)));
    else
      throw UsageError("--decapsulate: no tunnel is called '" + std::string(name) + "'; give some of " + known_names() +
                       ", or all");
    if (comma == std::string_view::npos)
      return set;
    text.remove_prefix(comma + 1);
  }
}

} // namespace orbweaver
