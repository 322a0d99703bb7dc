// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/cage.hpp"

namespace orbweaver {

/// It reads one stream, writes one, and does nothing else: the list of all stages is enough, without any right.
CageRules observer_cage() {
  CageRules rules;
  rules.program = "orbweaver-observer";
  rules.calls = {base_calls()};
  rules.paths = base_paths();
  return rules;
}

} // namespace orbweaver
