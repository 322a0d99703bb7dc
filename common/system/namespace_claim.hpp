// SPDX-License-Identifier: GPL-3.0-or-later
// Who measures in this network namespace: those that leave the system as it is, side by side, or one that changes it,
// alone. Held by the spider, and by its helper until all is put back.
//
// A claim is a UNIX socket with an abstract name, `@orbweaver.measures.PROCESS.SESSION` or `@orbweaver.changes.…`, that
// listens and is never served: such names belong to a network namespace, any user sees them, and they go with the
// process. The kernel says whose a socket is (SO_PEERCRED).
#pragma once

#include "common/file_descriptor.hpp"

#include <cstdint>
#include <string>

namespace orbweaver {

class NamespaceClaim {
public:
  enum class Kind : std::uint8_t { measures, changes };

  /// Throws Error that names who is in the way: beside one that changes the system there is none but of its own
  /// session. Believed are root, this user, and, by root, whoever runs this very program.
  NamespaceClaim(const std::string& session, Kind kind);

private:
  FileDescriptor socket_;
};

} // namespace orbweaver
