// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of a table as JSON objects. The table's description is turned into a plan once, so that a row costs a few copies
// of fixed size a field. Owned by the merger; a plan does not change, any thread may print by it.
#pragma once

#include "common/stream/description.hpp"
#include "merger/sinks/field_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class JsonRows {
public:
  /// `beginning` opens each object: `"event":"dns"`, or nothing.
  explicit JsonRows(const TableDescription& table, std::string_view beginning = {});

  /// The room that printing a row takes.
  [[nodiscard]] std::size_t max_octets(const RowView& row) const noexcept {
    return max_octets_ + max_growth * (row.octets - record_octets_);
  }

  /// Prints a row of the table as one object on a line that ends with its newline, fields in the table's order, and
  /// returns the place after that. `out` has max_octets() octets, all of which may be overwritten.
  char* print(const RowView& row, char* out) const noexcept;

  /// What is printed of a row, and how: one for each field, in the table's order.
  enum class Wanted : std::uint8_t { no, yes };

  /// Prints the fields that are wanted as members, each with a comma before it: `,"a":1,"b":null`. `mirrored`: each
  /// under the name of the field that says the same of the other direction.
  char* print_members(const RowView& row, const std::vector<Wanted>& wanted, bool mirrored, char* out) const noexcept;

  /// Prints the value of one field.
  char* print_value(const RowView& row, std::size_t field, char* out) const noexcept {
    return steps_[field].text.print(steps_[field].text, row, out);
  }

private:
  struct Label {
    std::uint32_t at; ///< in labels_: `,"name":`
    std::uint32_t octets;
  };
  struct Step {
    FieldText text;
    Label label;
    Label mirror; ///< of its mirror
  };

  char* print_label(const Label& label, char* out) const noexcept {
    std::memcpy(out, labels_.data() + label.at, field_slack);
    if (label.octets > field_slack) [[unlikely]]
      std::memcpy(out + field_slack, labels_.data() + label.at + field_slack, label.octets - field_slack);
    return out + label.octets;
  }
  [[nodiscard]] Label add_label(std::string_view name);

  std::vector<Step> steps_;
  std::string beginning_; ///< with its brace
  std::string labels_;    ///< one after the other, and field_slack octets, since they are copied in one size
  std::size_t max_octets_ = 0;
  std::uint32_t record_octets_;
};

} // namespace orbweaver
