// SPDX-License-Identifier: GPL-3.0-or-later
// The folder of this user's state journals, which nobody else may enter: /run/orbweaver of root, else, and where root
// of a container or of a user namespace may make none there, $XDG_RUNTIME_DIR/orbweaver. It goes with the machine's
// start, as do the changes that journals tell of. No state, any thread.
#pragma once

#include "common/file_descriptor.hpp"

#include <string>
#include <vector>

namespace orbweaver {

struct StateFolder {
  std::string path;
  FileDescriptor folder; ///< what is in it is opened beside this, whatever becomes of the path
};

/// The one in which a session puts its journal: made where it is missing, mode 0700. Throws Error where there is none,
/// or it belongs to somebody else or lets others in, and says what to do.
[[nodiscard]] StateFolder make_state_folder();

/// Those in which this user's journals may lie: that are there and are believed. What is there and is not believed is
/// named in `refused`, a sentence each.
[[nodiscard]] std::vector<StateFolder> state_folders(std::vector<std::string>& refused);

} // namespace orbweaver
