// SPDX-License-Identifier: GPL-3.0-or-later
// Mapped files that somebody else may cut shorter: whoever touches a page behind the new end is sent SIGBUS. Here the
// process then says which file it was and ends with exit status 1, or, where the mapping has a flag, goes on with zeros
// and its reader fails in order. One list for the process; any thread may add and remove.
#pragma once

#include <csignal>
#include <cstddef>
#include <memory>
#include <string>

namespace orbweaver {

class GuardedMapping {
public:
  GuardedMapping() = default;
  /// `name` stands at the beginning of what is said. With `lost`, that is set in place of the end, in the thread that
  /// touched the page, which reads zeros from then on; it outlives the guard.
  GuardedMapping(const void* data, std::size_t octets, std::string name, volatile std::sig_atomic_t* lost = nullptr);

  /// Set whenever a flag of any of them is: for who looks at several at once. It is for that one to clear.
  [[nodiscard]] static volatile std::sig_atomic_t& any_lost() noexcept;

private:
  struct Entry;
  std::shared_ptr<Entry> entry_;
};

} // namespace orbweaver
