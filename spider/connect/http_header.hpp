// SPDX-License-Identifier: GPL-3.0-or-later
// The header fields of an HTTP response, kept within a bound. Owned by one transfer; the spider's thread.
#pragma once

#include "common/json/builder.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbweaver {

class HttpHeader {
public:
  /// `limit_octets`: of all lines of all headers of a response, informational ones and trailers too (RFC 9110, 15.2).
  explicit HttpHeader(std::size_t limit_octets) noexcept : left_(limit_octets) {}

  /// No response that means well has more fields.
  static constexpr std::size_t max_fields = 512;

  /// Takes a line with its end: a status line, which begins a new header, a field, or the empty line. False: a bound is
  /// passed, and the line was not taken.
  [[nodiscard]] bool add_line(std::string_view line);

  /// A status line came.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  [[nodiscard]] bool truncated() const noexcept { return truncated_; }

  /// Adds the fields of the last header: names in lower case, in the order of their first appearance, a list of values
  /// where a name comes more than once.
  void describe(json::Object& object) const;

private:
  struct Field {
    std::string name;
    std::vector<std::string> values;
  };

  void add_field(std::string_view line);

  std::size_t left_;
  bool begun_ = false;
  bool ended_ = false; ///< the empty line came; what follows are trailers
  bool truncated_ = false;
  std::vector<Field> fields_;
  std::size_t last_ = 0; ///< the field that a folded line belongs to
};

} // namespace orbweaver
