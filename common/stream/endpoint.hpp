// SPDX-License-Identifier: GPL-3.0-or-later
// Where a stage reads or writes records: `ring:NAME`, a ring in shared memory, or `file:PATH`, a recorded stream.
#pragma once

#include <cstdint>
#include <string>

namespace orbweaver {

struct Endpoint {
  enum class Kind { ring, file };
  Kind kind = Kind::file;
  std::string name; ///< a ring's name, or a file's path

  /// Reads `ring:NAME` (letters, digits, dot, dash, underscore; at most 96) or `file:PATH`; a UsageError says what is
  /// wrong with anything else.
  static Endpoint parse(const std::string& text);

  [[nodiscard]] std::string text() const { return (kind == Kind::ring ? "ring:" : "file:") + name; }
  /// The shared memory segment of a ring.
  [[nodiscard]] std::string segment_name() const;
};

/// Refuses, as a UsageError, an output that is the same file as an input: it would be emptied before it is read.
/// Paths that do not exist are no file.
void refuse_same_file(const std::string& input_path, const std::string& output_path);
void refuse_same_file(const Endpoint& input, const Endpoint& output);

/// Whether two paths are one regular file, or name one that does not exist yet: who writes both ruins it. A device or a
/// pipe may be written by several.
[[nodiscard]] bool same_file(const std::string& path, const std::string& other);

/// How a stage opens its endpoints.
struct EndpointOptions {
  std::uint64_t ring_bytes = std::uint64_t{8} << 20; ///< of a ring that the producer makes because there is none
  bool huge_pages = false;
  bool busy_poll = false;
  unsigned attach_timeout_s = 10; ///< how long a consumer waits for its ring to appear, and for its producer
  bool takes_over = false;        ///< a ring's end from a process of the same session that died there
  bool make_ring = true;          ///< whether a producer makes one; a session's rings are made by the front command
};

} // namespace orbweaver
