// SPDX-License-Identifier: GPL-3.0-or-later
// Shared memory segments by name: created with mode 0600, attached, removed. In /dev/shm, or on a hugetlbfs mount. Both
// are places where others may put files too: what is no `own_file` (trusted_file.hpp) is as if it were not there, and
// is named where something of its name is to be made or waited for.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/system/guarded_mapping.hpp"

#include <boost/interprocess/mapped_region.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// A mapped segment. Copies share the mapping; unmapped with the last one, never removed by that.
class Segment {
public:
  Segment() = default;

  /// Makes a segment of that many octets, all zero. Throws Error where there is a file of its name, whosever it is.
  /// With `huge_pages`, on the hugetlbfs mount; where there is none, or too few pages are free, the error says how to
  /// provide them.
  /// `slack` octets more are mapped behind them, for which there is no memory until somebody touches them.
  static Segment create(const std::string& name, std::size_t bytes, bool huge_pages = false, std::size_t slack = 0);

  /// Maps the whole of an existing segment. Read-only where only counters are looked at.
  static Segment attach(const std::string& name, bool writable = true);

  /// The file of a segment: for a look at one that nobody may care for any more, and that may be cut short meanwhile.
  /// Throws Error where there is none.
  static FileDescriptor open(const std::string& name, bool writable);

  /// Removes the name; those who have it mapped keep it. False where there was none that is ours.
  static bool remove(const std::string& name) noexcept;

  [[nodiscard]] static bool exists(const std::string& name) noexcept;

  /// Why what has that name is no segment of ours: its path, its owner or mode, and what to do. Empty where there is
  /// nothing of that name, or where it is one.
  [[nodiscard]] static std::string why_not_ours(const std::string& name);

  /// The folders where segments lie.
  [[nodiscard]] static std::vector<std::string> folders();

  /// The names of all segments that begin with `prefix`, sorted.
  [[nodiscard]] static std::vector<std::string> list(std::string_view prefix);

  [[nodiscard]] std::byte* data() const noexcept {
    return region_ ? static_cast<std::byte*>(region_->get_address()) : nullptr;
  }
  [[nodiscard]] std::size_t size() const noexcept { return region_ ? region_->get_size() : 0; }
  [[nodiscard]] explicit operator bool() const noexcept { return size() > 0; }

private:
  Segment(boost::interprocess::mapped_region&& region, const std::string& path);

  std::shared_ptr<boost::interprocess::mapped_region> region_;
  GuardedMapping guard_; ///< that it was cut short is said by its path
};

/// All of the project's segments begin with this.
inline constexpr std::string_view segment_prefix = "orbweaver.";

} // namespace orbweaver
