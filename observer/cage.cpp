// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/cage.hpp"

namespace orbweaver {

namespace {

constexpr CageCall calls[] = {
    // Streams in files.
    {"ftruncate"},
    {"pread64"},
    {"pwrite64"},
};

} // namespace

CageRules observer_cage() {
  CageRules rules;
  rules.program = "orbweaver-observer";
  rules.calls = {base_calls(), calls};
  return rules;
}

} // namespace orbweaver
