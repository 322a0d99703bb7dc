// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/child_environment.hpp"

#include <algorithm>
#include <string_view>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::string_view names[] = {
    "PATH",            // programs that libraries run
    "HOME",            // ~/.local, where a user's plugins may lie
    "TZ",              // times in messages
    "TMPDIR",          // temporary files
    "XDG_RUNTIME_DIR", // journals
    "LANG",            // texts of errno
    "LD_LIBRARY_PATH", // libraries that are installed elsewhere
    "LOCALDOMAIN",     // the resolver
    "RES_OPTIONS",     // the resolver
    "SSL_CERT_DIR",    // certificates that are installed elsewhere
    "SSL_CERT_FILE",   // the same
    "ORBWEAVER_PLUGIN_PATH",
};
/// Languages; what the sanitizers and the allocator of a test build are told.
constexpr std::string_view beginnings[] = {
    "LC_", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TSAN_OPTIONS=", "LSAN_OPTIONS=", "MALLOC_"};

} // namespace

std::vector<char*> child_environment() {
  std::vector<char*> kept;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    if (std::ranges::find(names, name) != std::end(names) ||
        std::ranges::any_of(beginnings, [&](std::string_view start) { return text.starts_with(start); }))
      kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

} // namespace orbweaver
