// SPDX-License-Identifier: GPL-3.0-or-later
// Which files are believed. What a journal, a ring or a shared object holds decides what a process does that may have
// rights which others have not; and where it lies, others may put files too. So a file is judged by its owner and mode,
// of the open descriptor wherever it is read. No state, any thread.
#pragma once

#include "common/file_descriptor.hpp"

#include <fcntl.h>
#include <string>
#include <sys/stat.h>

namespace orbweaver {

/// What a file must be for its content to be believed.
struct FileTrust {
  mode_t type;    ///< S_IFREG or S_IFDIR
  mode_t refused; ///< permission bits that it must not have
  bool of_root;   ///< root's are believed beside those of the effective user
};

/// Shared memory and journals: of this user, and closed to all others.
inline constexpr FileTrust own_file{S_IFREG, 0077, false};
/// Code and where it lies: nobody but this user and root may have written it.
inline constexpr FileTrust code_file{S_IFREG, 0022, true};
inline constexpr FileTrust code_folder{S_IFDIR, 0022, true};

[[nodiscard]] bool is_trusted(const struct stat& status, const FileTrust& wanted) noexcept;

/// Why a file of that status is not believed, as a sentence goes on after its name: "belongs to user 7 (mode 0644) …".
/// Empty where it is.
[[nodiscard]] std::string why_not_trusted(const struct stat& status, const FileTrust& wanted);

/// Opens a file that is believed. Follows no symbolic link at the end of `name`, and waits for no FIFO's other end.
/// Where it gives none, `why` is as above, or says why it cannot be opened, or is empty where there is no such file.
[[nodiscard]] FileDescriptor open_trusted(int folder, const std::string& name, int flags, const FileTrust& wanted,
                                          std::string& why);

} // namespace orbweaver
