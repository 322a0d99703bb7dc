// SPDX-License-Identifier: GPL-3.0-or-later
// What programs that ours start get of the environment.
#include "common/process/child_environment.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <string>

using namespace orbweaver;

namespace {

bool hands_on(const std::string& entry) {
  for (const char* const kept : child_environment())
    if (kept && kept == entry)
      return true;
  return false;
}

} // namespace

TEST_CASE("a child gets what it needs of the environment, and no more") {
  for (const std::string entry : {"ORBWEAVER_TOKEN=secret", "LD_PRELOAD=/tmp/x.so", "LD_AUDIT=/tmp/x.so",
                                  "BASH_ENV=/tmp/x", "PATHX=/tmp", "NOTIFY_SOCKET=/run/x"}) {
    const auto name = entry.substr(0, entry.find('='));
    setenv(name.c_str(), entry.c_str() + name.size() + 1, 1);
    CHECK_FALSE(hands_on(entry));
    unsetenv(name.c_str());
  }
  for (const std::string entry : {"LC_TIME=C", "XDG_RUNTIME_DIR=/run/user/7", "ORBWEAVER_PLUGIN_PATH=/opt/x"}) {
    const auto name = entry.substr(0, entry.find('='));
    setenv(name.c_str(), entry.c_str() + name.size() + 1, 1);
    CHECK(hands_on(entry));
    unsetenv(name.c_str());
  }
  CHECK(child_environment().back() == nullptr);
}
