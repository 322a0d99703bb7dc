// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of a table as JSON objects. The table's description is turned into a plan once, so that a row costs a few copies
// of fixed size a field. Owned by the merger; a plan does not change, any thread may print by it.
#pragma once

#include "common/stream/description.hpp"
#include "merger/sinks/field_text.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

class JsonRows {
public:
  /// `beginning` opens each object: `"event":"dns"`, or nothing.
  explicit JsonRows(const TableDescription& table, std::string_view beginning = {});

  /// The room that printing a row takes.
  [[nodiscard]] std::size_t max_octets(RowView row) const noexcept {
    return max_octets_ + max_growth * (row.octets - record_octets_);
  }

  /// Prints a row of the table as one object on a line that ends with its newline, fields in the table's order, and
  /// returns the place after that. `out` has max_octets() octets, all of which may be overwritten.
  char* print(RowView row, char* out) const noexcept;

  /// What is printed of a row, and how: one for each field, in the table's order.
  enum class Wanted : std::uint8_t { no, yes };

  /// Prints the fields that are wanted as members, each with a comma before it: `,"a":1,"b":null`. `mirrored`: each
  /// under the name of the field that says the same of the other direction.
  char* print_members(RowView row, const std::vector<Wanted>& wanted, bool mirrored, char* out) const noexcept;

  /// Prints the value of one field.
  char* print_value(RowView row, std::size_t field, char* out) const noexcept {
    return steps_[field].text.print(row, out);
  }

private:
  /// `,"name":`, with field_slack octets behind it, since labels are copied in one size.
  struct Label {
    const char* text = nullptr;
    std::size_t octets = 0;

    [[nodiscard]] bool is_long() const noexcept { return octets > field_slack; }
    template <bool may_be_long>
    char* print(char* out) const noexcept {
      std::memcpy(out, text, field_slack);
      if constexpr (may_be_long)
        if (is_long())
          std::memcpy(out + field_slack, text + field_slack, octets - field_slack);
      return out + octets;
    }
  };
  struct Step {
    /// Prints label and value: one call a field, and no branch for labels that are short, as nearly all are. With that
    /// branch the call saves registers, which costs a tenth of all instructions.
    char* (*print)(const Step& step, const std::byte* record, char* out) noexcept;
    Label label;
    FieldText text;
    Label mirror; ///< of its mirror
  };

  template <typename Type, bool has_long_label>
  static char* print_member(const Step& step, const std::byte* record, char* out) noexcept;
  [[nodiscard]] Label add_label(std::string_view name);

  std::vector<Step> steps_;
  std::string beginning_; ///< with its brace
  std::vector<std::unique_ptr<char[]>> labels_;
  std::size_t max_octets_ = 0;
  std::uint32_t record_octets_;
};

} // namespace orbweaver
