// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/ndjson_sink.hpp"

namespace orbweaver {

std::size_t NdjsonSink::add_table(const TableDescription& table, std::size_t place, const std::string&) {
  if (place == 0)
    tables_.push_back({JsonRows(table), Line::main});
  else
    tables_.push_back({JsonRows(table, "\"event\":\"" + table.name + '"'), Line::other});
  return tables_.size() - 1;
}

} // namespace orbweaver
