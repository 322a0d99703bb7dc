// SPDX-License-Identifier: GPL-3.0-or-later
// What changes the system (sysctls), as a process of its own, so that the spider, which
// reads what strangers send, needs no right to. It knows a closed list, the plugin's configurations, which it had
// before the spider sent anything; a request is a number in that list, and nothing else of the spider's reaches it. It
// keeps the journal, and puts everything back when the spider ends, however it does. Where it was killed itself the
// front command puts back, or the next start (system_state.hpp).
#pragma once

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "spider/plugin.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace orbweaver {

/// The helper has ended, and was not asked to.
class HelperGone : public Error {
public:
  using Error::Error;
};

class SystemHelper {
public:
  /// Starts it and waits until it has its journal and is in its own cage; before the spider's cage. Throws Error as
  /// SystemState does. `tried` is for tests: what it tries from within.
  SystemHelper(const std::string& session, const std::vector<SystemConfiguration>& configurations, bool caged,
               const std::string& tried = {});
  SystemHelper(const SystemHelper&) = delete;
  SystemHelper& operator=(const SystemHelper&) = delete;
  ~SystemHelper();

  /// Sets configuration number `config`. Throws Error with what the helper said, or HelperGone.
  void configure(unsigned config);

  /// Puts everything back, ends the helper, and returns what could not be put back, in words; empty where all was.
  std::string restore();

private:
  FileDescriptor socket_;
  pid_t process_ = -1;
};

} // namespace orbweaver
