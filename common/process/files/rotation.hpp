// SPDX-License-Identifier: GPL-3.0-or-later
// What a user says of outputs that are written as one file after another: when the next begins (--rotate), which of
// them stay (--keep), and their names, in strftime's language. The merger writes them; the front command checks what
// was given, and finds in the manifest what is complete. Plain values, any thread.
#pragma once

#include "common/process/options/whole_number.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

/// A time or a size: of one file (--rotate), or of all that stay (--keep). Of 0 is neither.
struct FileBound {
  std::uint64_t seconds = 0; ///< 0: no bound in time
  std::uint64_t octets = 0;  ///< 0: no bound in size

  [[nodiscard]] explicit operator bool() const noexcept { return seconds != 0 || octets != 0; }
};

/// Reads "30s", "5m", "1h", "7d", or "500MiB", "1GiB", "2TiB", "64KiB". Throws UsageError that begins with `option`.
[[nodiscard]] FileBound parse_file_bound(const std::string& option, const std::string& text);

/// The same for transform() of an option.
[[nodiscard]] ValueCheck file_bound();

/// A path whose last part has the time in it: `flows-%Y%m%dT%H%M%SZ.ndjson`. Times are UTC.
class NamePattern {
public:
  /// Throws UsageError where the path has no time in its last part, one in its folders, or what nobody can read back.
  explicit NamePattern(const std::string& path);

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; } ///< "." where none was given
  /// A path in the folder, as the user would write it.
  [[nodiscard]] std::string path_of(const std::string& name) const { return prefix_ + name; }

  /// The name of the file that begins at a second since the epoch; `number` above 0 stands before its suffix, for where
  /// there is one of that name.
  [[nodiscard]] std::string name(std::uint64_t second, unsigned number = 0) const;

  /// Whether name() may have given that name, for some second and number.
  [[nodiscard]] bool matches(std::string_view name) const noexcept;

  /// The file in the folder that lists those that are complete: `flows.manifest` for `flows-%Y…`.
  [[nodiscard]] std::string manifest() const;

private:
  struct Piece {
    char conversion; ///< 0: text
    std::string text;
  };

  void add(const std::string& path, char conversion);
  void add_text(std::string_view text);

  std::string folder_, prefix_, suffix_;
  std::vector<Piece> pieces_; ///< of the name without its suffix
};

/// The names for `--rotate` with that `--output`. Throws UsageError also for what cannot be one file after another:
/// standard output, a FIFO, a device.
[[nodiscard]] NamePattern rotated_names(const std::string& path);

/// Whether a file of that name is of the series, or of a table beside it: `flows-….dns.csv` beside `flows-….csv`.
[[nodiscard]] bool is_of_series(const NamePattern& names, const std::string& name);

/// Refuses, as a UsageError, an output that cannot be one file after another, and --keep without --rotate.
void check_rotation(bool rotates, bool keeps, const std::string& path);

/// A second since the epoch as strftime's `format` has it, in UTC; of years that no packet has, a year as late.
[[nodiscard]] std::string utc_text(std::uint64_t second, const char* format);

/// Where the suffix of an output's path begins: ".ndjson.zst", ".csv.zst", or from its last point on.
[[nodiscard]] std::size_t suffix_at(std::string_view path) noexcept;

/// Whether what is written to a file of that name is compressed: "….zst".
[[nodiscard]] bool is_compressed_name(std::string_view path) noexcept;

} // namespace orbweaver
