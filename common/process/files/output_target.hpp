// SPDX-License-Identifier: GPL-3.0-or-later
// How and where rows are written, as a user says it with --output and --format. The merger writes; the front command
// looks whether it will. No state, any thread.
#pragma once

#include <string>
#include <string_view>

namespace orbweaver {

/// A way to write rows.
struct OutputFormat {
  std::string_view name;   ///< for --format, and before a path: `csv:FILE`
  std::string_view suffix; ///< of files that are written so where nothing else is said; the first one's is any other
  std::string_view help;
};

inline constexpr OutputFormat output_formats[] = {
    {"ndjson", ".ndjson", "a JSON object a line, all tables in one file"},
    {"csv", ".csv", "RFC 4180, a file a table"},
};

struct OutputTarget {
  std::string_view format; ///< one of the names
  std::string path;        ///< empty or "-": standard output
};

/// What `--output` and `--format` say, either of which may be empty: the format by its name, else by what stands before
/// the path (`csv:FILE`), else by the path's suffix, behind which there may be ".zst", else the first one. An unknown
/// one, or two, are a UsageError that names those that there are.
[[nodiscard]] OutputTarget parse_output(const std::string& output, const std::string& format);

/// The same of results of jobs, which are NDJSON: another format is a UsageError.
[[nodiscard]] OutputTarget parse_results_output(const std::string& output);

/// "ndjson, csv"
[[nodiscard]] std::string output_format_names();

} // namespace orbweaver
