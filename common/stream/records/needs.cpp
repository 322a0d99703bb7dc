// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/records/needs.hpp"

#include "common/error.hpp"

#include <algorithm>

namespace orbweaver {
namespace {

/// What `part` says of each of those needs, with `separator` between them.
std::string joined(std::uint32_t needs, std::string_view separator, std::string_view NeedName::*part) {
  std::string text;
  for (const NeedName& need : need_names)
    if (needs & std::bit_floor(need.bits))
      text.append(text.empty() ? "" : separator).append(need.*part);
  return text;
}

} // namespace

std::string needs_text(std::uint32_t needs) {
  const std::string text = joined(needs, ",", &NeedName::name);
  return text.empty() ? "none" : text;
}

std::string needs_in_words(std::uint32_t needs) {
  return joined(needs, ", ", &NeedName::words);
}

std::uint32_t parse_needs(std::string_view text) {
  if (text == "none")
    return Need::none;
  if (text == "all")
    return Need::all;
  std::uint32_t needs = Need::none;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const auto found = std::ranges::find(need_names, name, &NeedName::name);
    if (found == need_names.end())
      throw UsageError("packets carry no '" + std::string(name) + "'; give some of " +
                       joined(Need::all, ",", &NeedName::name) + ", or none, or all");
    needs |= found->bits;
    if (comma == std::string_view::npos)
      return needs;
    text.remove_prefix(comma + 1);
  }
}

} // namespace orbweaver
