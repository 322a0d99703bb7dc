// SPDX-License-Identifier: GPL-3.0-or-later
// Rows of a table as records of CSV (RFC 4180): a header line with the fields' names, then a record a row, each ended
// by CRLF. Owned by the merger; does not change, any thread may print by it.
#pragma once

#include "common/stream/description.hpp"
#include "merger/sinks/field_text.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

class CsvRows {
public:
  explicit CsvRows(const TableDescription& table);

  /// The header line, with its end.
  [[nodiscard]] const std::string& heading() const noexcept { return heading_; }

  /// As JsonRows::max_octets().
  [[nodiscard]] std::size_t max_octets(RowView row) const noexcept {
    return max_octets_ + max_growth * (row.octets - record_octets_);
  }

  /// As JsonRows::print().
  char* print(RowView row, char* out) const noexcept;

private:
  std::vector<FieldText> fields_;
  std::string heading_;
  std::size_t max_octets_ = 2 + field_slack;
  std::uint32_t record_octets_;
};

} // namespace orbweaver
