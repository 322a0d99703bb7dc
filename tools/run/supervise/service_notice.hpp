// SPDX-License-Identifier: GPL-3.0-or-later
// What a service manager is told of a run (sd_notify(3)): that it is ready once every stage has its rings, how it goes,
// that it is alive as long as every stage is, and that it ends. Nothing where nobody asks (NOTIFY_SOCKET). Front
// command's only thread.
#pragma once

#include "tools/run/report/progress.hpp"

#include <cstdint>

namespace orbweaver {

class Pipeline;

class ServiceNotice {
public:
  /// Finds out whether there is a service manager, and how often it wants a sign of life (WATCHDOG_USEC).
  ServiceNotice() noexcept;

  /// Often; tells what is due. `all_started`: there is no stage that is yet to start.
  void update(Pipeline& pipeline, bool all_started);

  /// Once, when the run begins to end.
  void stopping() noexcept;

private:
  [[nodiscard]] bool alive(Pipeline& pipeline, std::uint64_t now_ns) const noexcept;
  void tell_status(const Pipeline& pipeline, std::uint64_t now_ns);

  bool enabled_;
  bool ready_ = false;
  bool stopping_ = false;
  std::uint64_t watchdog_ns_ = 0; ///< 0: no sign of life is wanted
  std::uint64_t next_sign_ns_ = 0;
  std::uint64_t status_ns_ = 0; ///< when it was last told
  Done done_;                   ///< then
};

} // namespace orbweaver
