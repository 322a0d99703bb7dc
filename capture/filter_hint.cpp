// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/filter_hint.hpp"

#include "capture/filter.hpp"

#include <algorithm>
#include <pcap/pcap.h>
#include <string_view>
#include <utility>

namespace orbweaver {
namespace {

struct Tags {
  std::string_view words; ///< in tcpdump's language; from there on it looks behind them
  std::string_view name;  ///< in messages
};
/// The simplest that explains most frames is told.
constexpr std::array tags = {
    Tags{"vlan", "VLAN tags"},
    Tags{"vlan and vlan", "two VLAN tags"},
    Tags{"mpls", "MPLS labels"},
    Tags{"pppoes", "PPPoE headers"},
    Tags{"vlan and mpls", "a VLAN tag and MPLS labels"},
    Tags{"vlan and pppoes", "a VLAN tag and a PPPoE header"},
};

} // namespace

FilterHint::FilterHint(std::string expression) : expression_(std::move(expression)) {
  static_assert(tags.size() == ways);
  for (std::size_t i = 0; i < ways; ++i) {
    Way& way = ways_[i];
    way.expression = std::string(tags[i].words) + " and (" + expression_ + ")";
    for (unsigned link = 0; link < link_types; ++link)
      way.programs[link] = compile_filter(way.expression, static_cast<LinkType>(link)).program;
  }
}

FilterHint::~FilterHint() {
  for (const Way& way : ways_)
    for (const auto& program : way.programs)
      if (program)
        pcap_freecode(program.get());
}

void FilterHint::try_behind_tags(const Frame& frame) noexcept {
  ++looked_at_;
  for (Way& way : ways_)
    if (const auto& program = way.programs[static_cast<unsigned>(frame.link)])
      way.matches += bpf_filter(program->bf_insns, frame.data, frame.wire_length, frame.captured_length) != 0;
}

std::string FilterHint::text(std::uint64_t packets) const {
  const auto* best = std::ranges::max_element(ways_, {}, &Way::matches);
  std::string text = "filter \"" + expression_ + "\": none of " + std::to_string(packets) + " packets passed it";
  if (best->matches == 0)
    return text;
  const auto& found = tags[static_cast<std::size_t>(best - ways_.begin())];
  return text + ": their headers stand behind " + std::string(found.name) + ", where it does not look; of the first " +
         std::to_string(looked_at_) + " packets " + std::to_string(best->matches) + " pass --filter '" +
         best->expression + "'";
}

} // namespace orbweaver
