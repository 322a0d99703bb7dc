// SPDX-License-Identifier: GPL-3.0-or-later
// A row printed into an output, however long it becomes. Owned by a sink; one thread.
#pragma once

#include "merger/rows/row.hpp"
#include "merger/sinks/output.hpp"

#include <string>
#include <string_view>

namespace orbweaver {

/// `rows` prints as JsonRows and CsvRows do. `scratch` is for lines that may be longer than the output's buffer.
template <typename Rows>
void put_row(const Rows& rows, RowView row, Line line, Output& output, std::string& scratch) {
  const auto room = rows.max_octets(row);
  if (room <= Output::buffer_bytes) [[likely]] {
    output.commit(rows.print(row, output.claim(room)), line);
    return;
  }
  if (scratch.size() < room)
    scratch.resize(room);
  const char* const end = rows.print(row, scratch.data());
  output.write_line(std::string_view(scratch.data(), end), line);
}

} // namespace orbweaver
