// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/csv_sink.hpp"

#include "common/error.hpp"
#include "common/process/files/rotation.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

/// The fields of a table with their types, to compare.
std::string fields_of(const TableDescription& table) {
  std::string fields;
  for (const auto& field : table.fields)
    fields.append(field.name).append(" ").append(to_string(field.type)).append(",");
  return fields;
}

} // namespace

std::string events_path(const std::string& flows_path, const std::string& table) {
  auto path = flows_path;
  return path.insert(suffix_at(path), "." + table);
}

CsvSink::CsvSink(const std::string& path, const OutputPolicy& policy) : path_(path), policy_(policy) {
  files_.push_back(std::make_unique<File>("flows", Line::main, path, "flows", policy));
}

std::size_t CsvSink::add_table(const TableDescription& table, std::size_t place, const std::string& stream) {
  CsvRows rows(table);
  const auto number = file_of(table, place, stream);
  auto& file = *files_[number];
  const auto fields = fields_of(table);
  if (file.stream.empty()) {
    file.fields = fields;
    file.stream = stream;
    file.heading = rows.heading();
    write_heading(file, file.heading);
  } else if (file.fields != fields) {
    throw Error(stream + ": its table '" + table.name + "' has other fields than that of " + file.stream +
                ", and cannot go to the same CSV file: merge them one by one, or write NDJSON");
  }
  tables_.push_back({std::move(rows), number});
  return tables_.size() - 1;
}

/// A file that grows has its heading from the first run; another one's rows would stand under the wrong names.
void CsvSink::write_heading(File& file, const std::string& heading) {
  if (file.output.goes_on())
    return;
  const auto& there = file.output.first_line();
  if (there.empty())
    file.output.write_line(heading, Line::heading);
  else if (there + "\n" != heading)
    throw Error("the CSV file for " + file.table + " has other columns already: give -o another name, or move it away");
}

/// The file of a table; a new one for events that come first.
std::size_t CsvSink::file_of(const TableDescription& table, std::size_t place, const std::string& stream) {
  if (place == 0)
    return 0;
  for (std::size_t file = 1; file < files_.size(); ++file)
    if (files_[file]->table == table.name)
      return file;
  if (path_.empty() || path_ == "-")
    throw UsageError("standard output takes one table of CSV, and " + stream + " also brings the table '" + table.name +
                     "': give -o FILE, so that each table has a file of its own");
  if (policy_.series != nullptr)
    policy_.series->add_names(NamePattern(events_path(path_, table.name)));
  files_.push_back(
      std::make_unique<File>(table.name, Line::other, events_path(path_, table.name), table.name + " events", policy_));
  return files_.size() - 1;
}

bool CsvSink::flush() noexcept {
  for (const auto& file : files_)
    file->output.flush();
  return !failed();
}

void CsvSink::begins_at(std::uint64_t second) {
  for (const auto& file : files_)
    file->output.begins_at(second);
}

bool CsvSink::write_rest() noexcept {
  for (const auto& file : files_)
    file->output.write_rest();
  return !failed();
}

bool CsvSink::complete(std::uint64_t begin_s, std::vector<CompleteFile>& files) {
  return std::ranges::all_of(files_,
                             [&](const auto& file) { return file->output.complete(begin_s, files.emplace_back()); });
}

bool CsvSink::begin_next(std::uint64_t begin_s) {
  for (const auto& file : files_) {
    if (!file->output.begin_next(begin_s))
      return false;
    if (!file->heading.empty())
      file->output.write_line(file->heading, Line::heading);
  }
  return true;
}

bool CsvSink::finish() noexcept {
  for (const auto& file : files_)
    file->output.finish();
  return !failed();
}

bool CsvSink::is_read_live() const noexcept {
  return std::ranges::any_of(files_, [](const auto& file) { return file->output.is_read_live(); });
}

bool CsvSink::can_resume() const noexcept {
  return std::ranges::all_of(files_, [](const auto& file) { return file->output.can_resume(); });
}

void CsvSink::marks(std::vector<OutputMark>& marks) {
  marks.clear();
  for (const auto& file : files_)
    marks.push_back(file->output.mark());
}

bool CsvSink::failed() const noexcept {
  return std::ranges::any_of(files_, [](const auto& file) { return file->output.failed(); });
}

std::string CsvSink::failure() const {
  std::string text;
  for (const auto& file : files_)
    if (file->output.failed())
      text += (text.empty() ? "" : "; ") + file->output.failure();
  return text;
}

Written CsvSink::written() const noexcept {
  Written written;
  for (const auto& file : files_) {
    written.flows += file->output.lines_written();
    written.events += file->output.lines_written(Line::other);
    written.octets += file->output.octets_written();
    written.full_ns += file->output.full_ns();
  }
  return written;
}

} // namespace orbweaver
