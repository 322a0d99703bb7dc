// SPDX-License-Identifier: GPL-3.0-or-later
// Outputs that are written as one file after another: the file at work, the name that it gets when it is complete, the
// manifest that lists those that are, and which of them stay. Several outputs (tables of CSV) share one. Who dies while
// a file is completed is followed by somebody who does each step that was not done: its marks say which may have been.
// Owned by the merger's thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/process/files/rotation.hpp"
#include "common/process/files/work_file.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbweaver {

/// A file that is complete.
struct CompleteFile {
  std::string name; ///< in the series' folder
  std::uint64_t rows = 0;
  std::uint64_t octets = 0; ///< of the file as it lies there
};

/// How far a series is, for who follows.
struct FileSeriesMark {
  std::uint64_t listed = 0;   ///< octets of the manifest, up to its last line's end
  std::uint64_t removed = 0;  ///< files that --keep has removed
  std::uint64_t removing = 0; ///< a hash of the name of the one that it is about to remove; 0: none
};

class FileSeries {
public:
  using Warn = std::function<void(const std::string&)>;

  /// Opens the manifest, and names what a killed run left. Throws Error, also where another run writes the same files.
  /// `left`: of who it follows.
  FileSeries(const NamePattern& names, FileBound keep, const Warn& warn, const FileSeriesMark* left = nullptr);

  /// For who follows: `note` is called before something is done while files are completed that he has to know of. All
  /// marks are taken then.
  void note_by(std::function<void()> note) { note_ = std::move(note); }
  void note() const {
    if (note_)
      note_();
  }
  [[nodiscard]] const FileSeriesMark& mark() const noexcept { return mark_; }

  /// A work file for the file that begins at that second. Its descriptor is empty where it cannot be made (errno).
  [[nodiscard]] static WorkFile begin(const NamePattern& names, std::uint64_t begin_s, WorkTag& tag);

  /// Gives a work file the name of the second in which it really begins, so that it can be told what it has if the run
  /// is killed. Where that fails it keeps the one it has.
  static void rename_work(const NamePattern& names, std::uint64_t begin_s, std::string& work_path) noexcept;

  /// Gives a work file that is complete its name, from that number on with the first one of which there is no file;
  /// nothing is replaced. 0, or errno.
  int complete(const NamePattern& names, const std::string& work_path, std::uint64_t begin_s, unsigned& number) const;

  /// Adds a line to the manifest, where it is not its last one already, then removes the oldest files, by the time of
  /// their last change, until what stays is within the bound: regular files in the folder that belong to this user and
  /// have a name of the series. `newest` stay in any case. `wait_on`, if there is one, says whether to go on while the
  /// disk is full. False where it failed: failure() says why.
  bool list(const std::string& line, std::span<const CompleteFile> newest, const std::function<bool()>& wait_on);
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

  /// Files of a table whose names are those beside the series' own are kept and removed with them.
  void add_names(const NamePattern& names) { names_.push_back(names); }

private:
  bool is_listed(std::string_view line) const;
  bool append(const std::string& line, const std::function<bool()>& wait_on);
  void remove_oldest(std::span<const CompleteFile> newest);

  std::vector<NamePattern> names_;
  FileBound keep_;
  Warn warn_;
  std::string manifest_path_;
  FileDescriptor manifest_;
  FileSeriesMark mark_;
  std::function<void()> note_;
  std::string failure_;
};

} // namespace orbweaver
