// SPDX-License-Identifier: GPL-3.0-or-later
// The file in which a session writes down what it changes in the system, for system_state: text in the state folder,
// `NAME.state`, whose first line says which network namespace it is about, and each further line what is to be put
// back; it is written before the change. Whoever changes or restores holds its lock (flock), which the kernel takes
// back from a killed process: nothing is put back before the last change has been made. Nobody else can put files into
// that folder (state_folder.hpp); a journal is believed all the same only where it is an `own_file` (trusted_file.hpp)
// and its name is a session's, and of its lines those that a session could have written.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/system/net_namespace.hpp"
#include "common/system/state_folder.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

class StateJournal {
public:
  /// What a journal says.
  struct Entries {
    std::optional<NetNamespace> space;                        ///< none: killed before anything was changed
    std::vector<std::pair<std::string, std::string>> sysctls; ///< each of the list, with a value that fits
    std::string refused; ///< the first line that no session writes, and how many more there are; empty: none
  };

  /// The journals there are.
  struct List {
    std::vector<std::string> sessions; ///< that have one
    std::string refused; ///< the first file that looks like one and is not believed, why, and how many more there are
  };

  /// How long a restorer waits for who is killed to be gone.
  static constexpr int patience_ms = 5000;

  /// A new one, locked. Throws Error where the session has one.
  static StateJournal make(const std::string& session);

  /// That of a session, locked; empty where there is none that is believed, or where somebody else holds it for that
  /// long.
  static StateJournal take(const std::string& session, int patience_ms);

  static List list();

  /// The namespace of a journal, whoever holds it.
  static std::optional<NetNamespace> namespace_of(const std::string& session);

  /// Where it lies, for who is to look.
  [[nodiscard]] std::string path() const { return folder_.path + "/" + session_ + ".state"; }

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(file_); }
  /// Why it is empty.
  [[nodiscard]] bool held_by_other() const noexcept { return held_by_other_; }
  [[nodiscard]] const std::string& session() const noexcept { return session_; }

  void add_namespace(const NetNamespace& space) const;
  /// `before`: the value to put back. Like all that add, throws Error where it cannot be written.
  void add_sysctl(const std::string& name, const std::string& before) const;
  [[nodiscard]] Entries entries() const;

  /// Removes the file; what is locked stays so.
  void remove() const;

private:
  StateJournal(std::string session, StateFolder folder, FileDescriptor file, bool held_by_other)
      : session_(std::move(session)), folder_(std::move(folder)), file_(std::move(file)),
        held_by_other_(held_by_other) {}
  void add(const std::string& line) const;

  std::string session_;
  StateFolder folder_;
  FileDescriptor file_;
  bool held_by_other_;
};

} // namespace orbweaver
