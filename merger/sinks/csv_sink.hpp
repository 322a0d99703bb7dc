// SPDX-License-Identifier: GPL-3.0-or-later
// CSV (RFC 4180): a file for each table, which begins with a header line. `flows.csv` has the flows, `flows.dns.csv`
// beside it the events of the table dns; standard output has room for one table only. Owned by the merger's thread.
#pragma once

#include "merger/sinks/csv_rows.hpp"
#include "merger/sinks/output.hpp"
#include "merger/sinks/put_row.hpp"
#include "merger/sinks/sink.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace orbweaver {

class CsvSink final : public Sink {
public:
  /// Writes the flows to that file, or to standard output where it is empty or "-". Those of events are opened as their
  /// tables come. The policy outlives the sink. Throws Error.
  CsvSink(const std::string& path, const OutputPolicy& policy = Output::default_policy);

  /// Streams share a file where their tables have one name; all their fields must be the same then.
  std::size_t add_table(const TableDescription& table, std::size_t place, const std::string& stream) override;
  void put(std::size_t table, RowView row) override {
    auto& [rows, file] = tables_[table];
    put_row(rows, row, files_[file]->line, files_[file]->output, scratch_);
  }
  bool flush() noexcept override;
  /// Standard output has one table.
  bool deliver() noexcept override { return files_.front()->output.deliver(); }
  /// All files are flushed together.
  [[nodiscard]] bool is_due() const noexcept override { return files_.front()->output.is_due(); }
  void begins_at(std::uint64_t second) override;
  bool write_rest() noexcept override;
  bool complete(std::uint64_t begin_s, std::vector<CompleteFile>& files) override;
  bool begin_next(std::uint64_t begin_s) override;
  bool finish() noexcept override;
  [[nodiscard]] bool is_read_live() const noexcept override;
  [[nodiscard]] bool can_resume() const noexcept override;
  void marks(std::vector<OutputMark>& marks) override;
  [[nodiscard]] bool failed() const noexcept override;
  [[nodiscard]] std::string failure() const override;
  [[nodiscard]] Written written() const noexcept override;

private:
  struct File {
    File(std::string name, Line kind, const std::string& path, std::string what, const OutputPolicy& policy)
        : table(std::move(name)), line(kind), output(path, std::move(what), policy) {}
    std::string table;
    Line line;
    Output output;
    std::string fields{}; ///< with their types; empty: no stream has come with the table yet
    std::string stream{}; ///< that came with it first
    std::string heading{};
  };
  struct Table {
    CsvRows rows; ///< of one stream, whose records may have their fields elsewhere than another's
    std::size_t file;
  };

  static void write_heading(File& file, const std::string& heading);
  std::size_t file_of(const TableDescription& table, std::size_t place, const std::string& stream);

  std::string path_;
  const OutputPolicy& policy_;
  std::vector<std::unique_ptr<File>> files_;
  std::vector<Table> tables_;
  std::string scratch_;
};

/// The file for events of that table beside a file for flows: `dir/flows.csv`, `dns` make `dir/flows.dns.csv`.
[[nodiscard]] std::string events_path(const std::string& flows_path, const std::string& table);

} // namespace orbweaver
