// SPDX-License-Identifier: GPL-3.0-or-later
// Where rows go: a format and what it is written to. A sink is told of each table whose rows come, takes rows, and says
// what it wrote. make_sink.hpp lists those that there are. Owned by the merger's thread.
#pragma once

#include "common/stream/description.hpp"
#include "merger/rows/row.hpp"
#include "merger/sinks/file_series.hpp"
#include "merger/sinks/output.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbweaver {

/// What was really written, to the row.
struct Written {
  std::uint64_t flows = 0;
  std::uint64_t events = 0;
  std::uint64_t octets = 0;  ///< of everything
  std::uint64_t full_ns = 0; ///< for which a full disk was waited for
};

class Sink {
public:
  virtual ~Sink() = default;

  /// Announces a table, once for each stream that has it, before any row of it: `place` is its place in the stream's
  /// description, 0 that of the flows. Returns the number by which put() knows it. Throws Error, or UsageError, where
  /// the sink cannot take such a table; `stream` is named then.
  virtual std::size_t add_table(const TableDescription& table, std::size_t place, const std::string& stream) = 0;

  /// Takes a row of that table. There is always room: what comes after a failure is dropped.
  virtual void put(std::size_t table, RowView row) = 0;

  /// Hands on what waits in a buffer. False once writing has failed.
  virtual bool flush() noexcept = 0;
  /// Lets what was flushed, and noted by marks(), go where it cannot be taken back from. False once that has failed.
  virtual bool deliver() noexcept = 0;
  /// Whether who reads as it is written should have that now: as Output::is_due().
  [[nodiscard]] virtual bool is_due() const noexcept = 0;

  /// Where it is one file after another: the second in which the first begins.
  virtual void begins_at(std::uint64_t second) = 0;

  /// Where it is one file after another, one for each table of CSV: writes all that those at work are to have; gives
  /// them, which began at that second, their names, and appends them to `files`; begins the next ones. False where that
  /// failed.
  virtual bool write_rest() noexcept = 0;
  virtual bool complete(std::uint64_t begin_s, std::vector<CompleteFile>& files) = 0;
  virtual bool begin_next(std::uint64_t begin_s) = 0;

  /// Writes the rest and ends. False where anything failed.
  virtual bool finish() noexcept = 0;

  /// Whether somebody may be reading as it is written, so that rows should not wait in a buffer for long.
  [[nodiscard]] virtual bool is_read_live() const noexcept = 0;

  /// Whether who follows a killed merger can go on where it stopped (OutputPolicy::resume).
  [[nodiscard]] virtual bool can_resume() const noexcept = 0;
  /// How far each file is, once all is flushed, in the order in which they were opened.
  virtual void marks(std::vector<OutputMark>& marks) = 0;

  [[nodiscard]] virtual bool failed() const noexcept = 0;
  /// What failed, where, and how much was written, or empty.
  [[nodiscard]] virtual std::string failure() const = 0;

  [[nodiscard]] virtual Written written() const noexcept = 0;
};

} // namespace orbweaver
