// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/cage.hpp"

#include <asm/sockios.h>

namespace orbweaver {

namespace {

constexpr CageCall calls[] = {
    // A live source: its packets, and how many the kernel lost (PACKET_STATISTICS). Its socket is open.
    {"getsockopt"},
    {"ioctl", CageCall::When::masked, 1, ~0ULL, SIOCGSTAMP_OLD},
    {"pselect6"},
    {"recvfrom"},
    {"recvmsg"},
    {"select"},
    {"setsockopt"},
    // A file source, and a file output.
    {"ftruncate"},
    {"pread64"},
    {"pwrite64"},
};

} // namespace

/// No capability: what needs one, opening the source and going before others, is done.
CageRules capture_cage() {
  CageRules rules;
  rules.program = "orbweaver-capture";
  rules.calls = {base_calls(), calls};
  return rules;
}

} // namespace orbweaver
