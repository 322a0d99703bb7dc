// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/csv_rows.hpp"

namespace orbweaver {

CsvRows::CsvRows(const TableDescription& table) : record_octets_(table.record_octets) {
  for (const auto& field : table.fields) {
    heading_ += heading_.empty() ? "" : ",";
    heading_ += field.name; // needs no quotation marks, as names have nothing in them that would
    fields_.push_back(text_of<CsvStyle>(field));
    max_octets_ += fields_.back().max_octets + 1;
  }
  heading_ += "\r\n";
}

char* CsvRows::print(RowView row, char* out) const noexcept {
  for (const auto& field : fields_) {
    out = field.print(row, out);
    *out++ = ',';
  }
  out -= !fields_.empty(); // the last comma
  std::memcpy(out, "\r\n", 2);
  return out + 2;
}

} // namespace orbweaver
