// SPDX-License-Identifier: GPL-3.0-or-later
// Outputs that are written as one file after another: the file at work, the name that it gets when it is complete, the
// manifest that lists those that are, and which of them stay. Several outputs (tables of CSV) share one. Owned by the
// merger's thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/process/rotation.hpp"
#include "common/process/work_file.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace orbweaver {

/// A file that is complete.
struct CompleteFile {
  std::string name; ///< in the series' folder
  std::uint64_t rows = 0;
  std::uint64_t octets = 0; ///< of the file as it lies there
};

class FileSeries {
public:
  using Warn = std::function<void(const std::string&)>;

  /// Opens the manifest, and names what a killed run left. Throws Error, also where another run writes the same files.
  FileSeries(const NamePattern& names, FileBound keep, const Warn& warn);

  /// A work file for the file that begins at that second. Its descriptor is empty where it cannot be made (errno).
  [[nodiscard]] static WorkFile begin(const NamePattern& names, std::uint64_t begin_s);

  /// Gives a work file the name of the second in which it really begins, so that it can be told what it has if the run
  /// is killed. Where that fails it keeps the one it has.
  static void rename_work(const NamePattern& names, std::uint64_t begin_s, std::string& work_path) noexcept;

  /// Gives a work file that is complete its name, with a number where there is one of that name; nothing is replaced.
  /// 0, or errno.
  static int complete(const NamePattern& names, const std::string& work_path, std::uint64_t begin_s, std::string& name);

  /// Adds a line to the manifest. `wait_on`, if there is one, says whether to go on while the disk is full. False where
  /// it failed: failure() says why.
  bool list(const std::string& line, const std::function<bool()>& wait_on) noexcept;
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  /// Files of a table whose names are those beside the series' own are kept and removed with them.
  void add_names(const NamePattern& names) { names_.push_back(names); }

  /// Removes the oldest files, by the time of their last change, until what stays is within the bound: regular files in
  /// the folder that belong to this user and have a name of the series. `newest` stay in any case. Returns how many
  /// were removed.
  std::uint64_t remove_oldest(std::span<const CompleteFile> newest) noexcept;

private:
  std::vector<NamePattern> names_;
  FileBound keep_;
  Warn warn_;
  std::string manifest_path_;
  FileDescriptor manifest_;
  std::string failure_;
};

} // namespace orbweaver
