// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/flow_key.hpp"

#include "common/error.hpp"
#include "common/stream/records/needs.hpp"

#include <algorithm>
#include <string>

namespace orbweaver {
namespace {

struct KeyPart {
  std::string_view name;
  std::uint32_t needs;
};
constexpr KeyPart key_parts[] = {
    {"five-tuple", Need::none}, {"vlan", Need::key_vlan}, {"tunnel", Need::key_tunnel}, {"icmp-id", Need::key_icmp_id}};

} // namespace

std::uint32_t parse_flow_key(std::string_view text) {
  std::uint32_t needs = Need::none;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const auto* const found = std::ranges::find(key_parts, name, &KeyPart::name);
    if (found == std::end(key_parts))
      throw UsageError("--flow-key: '" + std::string(name) +
                       "' cannot be part of a flow's key; give some of vlan, tunnel, icmp-id, separated by commas");
    needs |= found->needs;
    if (comma == std::string_view::npos)
      return needs;
    text.remove_prefix(comma + 1);
  }
}

} // namespace orbweaver
