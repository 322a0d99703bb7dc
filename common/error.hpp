// SPDX-License-Identifier: GPL-3.0-or-later
// An error at start-up or at the end of a run: what happened, where, and what to do about it. Never thrown on a hot
// path.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace orbweaver {

/// Ends a program with exit status 1 and one line on stderr.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The user asked for something that cannot be meant: exit status 2.
class UsageError : public Error {
public:
  using Error::Error;
};

/// The text of an errno value ("No such file or directory"), in any thread.
[[nodiscard]] inline std::string errno_text(int error = errno) {
  return std::generic_category().message(error);
}

} // namespace orbweaver
