// SPDX-License-Identifier: GPL-3.0-or-later
// NDJSON: every row is one JSON object on a line, all tables in one output. A flow's object has its fields alone, an
// event's begins with its table: `{"event":"dns",…}`. Owned by the merger's thread.
#pragma once

#include "merger/sinks/json_rows.hpp"
#include "merger/sinks/output.hpp"
#include "merger/sinks/put_row.hpp"
#include "merger/sinks/sink.hpp"

#include <string>
#include <vector>

namespace orbweaver {

class NdjsonSink final : public Sink {
public:
  /// Writes to that file, or to standard output where it is empty or "-". The policy outlives the sink. Throws Error.
  NdjsonSink(const std::string& path, const OutputPolicy& policy) : output_(path, "flows", policy) {}

  std::size_t add_table(const TableDescription& table, std::size_t place, const std::string& stream) override;
  void put(std::size_t table, RowView row) override {
    put_row(tables_[table].rows, row, tables_[table].line, output_, scratch_);
  }
  bool flush() noexcept override { return output_.flush(); }
  bool deliver() noexcept override { return output_.deliver(); }
  [[nodiscard]] bool is_due() const noexcept override { return output_.is_due(); }
  void begins_at(std::uint64_t second) override { output_.begins_at(second); }
  bool write_rest() noexcept override { return output_.write_rest(); }
  bool complete(std::uint64_t begin_s, std::vector<CompleteFile>& files) override {
    return output_.complete(begin_s, files.emplace_back());
  }
  bool begin_next(std::uint64_t begin_s) override { return output_.begin_next(begin_s); }
  bool finish() noexcept override { return output_.finish(); }
  [[nodiscard]] bool is_read_live() const noexcept override { return output_.is_read_live(); }
  [[nodiscard]] bool can_resume() const noexcept override { return output_.can_resume(); }
  void marks(std::vector<OutputMark>& marks) override { marks.assign(1, output_.mark()); }
  [[nodiscard]] bool failed() const noexcept override { return output_.failed(); }
  [[nodiscard]] std::string failure() const override { return output_.failure(); }
  [[nodiscard]] Written written() const noexcept override {
    return {output_.lines_written(), output_.lines_written(Line::other), output_.octets_written(), output_.full_ns()};
  }

private:
  struct Table {
    JsonRows rows;
    Line line;
  };

  Output output_;
  std::vector<Table> tables_;
  std::string scratch_;
};

} // namespace orbweaver
