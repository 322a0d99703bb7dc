// SPDX-License-Identifier: GPL-3.0-or-later
// Which network namespace a process is in, and whether one exists still. No state, any thread.
#pragma once

#include <cstdint>

namespace orbweaver {

struct NetNamespace {
  std::uint64_t inode = 0;  ///< of nsfs: given again when the namespace is gone
  std::uint64_t cookie = 0; ///< never given again while the machine runs (SO_NETNS_COOKIE, Linux 5.14); 0: unknown

  /// The one of this process.
  static NetNamespace current();

  /// Whether a process is in it or a mount keeps it. True where that cannot be found out.
  [[nodiscard]] bool exists() const;

  bool operator==(const NetNamespace&) const = default;
};

} // namespace orbweaver
