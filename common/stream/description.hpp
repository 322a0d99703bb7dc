// SPDX-License-Identifier: GPL-3.0-or-later
// What a stream of records says of itself, so that any program reads and prints it without linking what wrote it: the
// tables that its rows belong to, field by field; what packets carry; which plugin made the jobs. It travels as JSON
// text behind the stream's header, is read once, and checked as a whole: who has a StreamDescription has a sound one.
#pragma once

#include "common/stream/field_types.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbweaver {

/// What a stream carries besides ticks, losses and its end.
enum class StreamKind : std::uint32_t { packets = 1, flows = 2, jobs = 3 };

[[nodiscard]] std::string_view to_string(StreamKind kind) noexcept;

/// Names of tables, fields, chains and plugins' options: 1 to 63 letters, digits or underscores (chains and plugins:
/// dashes too), the first one no digit.
inline constexpr std::size_t max_name_octets = 63;
[[nodiscard]] constexpr bool is_name(std::string_view name, bool with_dashes = false) noexcept {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || name.size() > max_name_octets || !is_letter(name.front()))
    return false;
  for (const char c : name)
    if (!is_letter(c) && !(c >= '0' && c <= '9') && !(with_dashes && c == '-'))
      return false;
  return true;
}

/// One field of a table's rows.
struct FieldDescription {
  std::string name;
  std::string chain; ///< that it comes from; empty: every row has it
  FieldType type{};
  std::uint32_t offset = 0;         ///< from the start of the record, its header included
  std::string help;                 ///< a line that says what it is
  std::string unit;                 ///< "octets", "s"; empty: it has none
  std::string ipfix;                ///< IANA's name of its IPFIX information element; empty: there is none
  std::string mirror;               ///< the field that says the same of the other direction; empty: it has no direction
  std::vector<std::string> names{}; ///< of an enumeration's values, by number; empty ones do not exist

  friend bool operator==(const FieldDescription&, const FieldDescription&) = default;
};

/// A table: rows of one shape. A row is a record of kind `row` whose header has the table's place in the stream.
struct TableDescription {
  std::string name;
  std::string help;
  std::uint32_t record_octets = 0; ///< of a row's fixed part, header included
  std::vector<FieldDescription> fields{};

  /// The field of that name, or nullptr.
  [[nodiscard]] const FieldDescription* find(std::string_view name) const noexcept;
  /// The field that says the same of the other direction; the field itself where it has none.
  [[nodiscard]] const FieldDescription& mirror_of(const FieldDescription& field) const noexcept;
  /// Whether rows may be longer than their fixed part.
  [[nodiscard]] bool has_tails() const noexcept;

  friend bool operator==(const TableDescription&, const TableDescription&) = default;
};

/// The plugin whose connections a stream of jobs tells of, and how it was run.
struct PluginRun {
  std::string name;
  std::string version;
  std::string connect;                                                   ///< kind of connection
  std::uint32_t connections = 0;                                         ///< for each job
  std::vector<std::pair<std::string, std::vector<std::string>>> options; ///< its own, with their values as given

  friend bool operator==(const PluginRun&, const PluginRun&) = default;
};

struct StreamDescription {
  StreamKind kind{};
  std::uint32_t needs = 0;                ///< packets: what the records carry (Need); flows: what the chains asked for
  std::vector<TableDescription> tables{}; ///< flows: the flows first, then tables of events
  PluginRun plugin{};                     ///< jobs

  /// The JSON text that decode() reads. Throws Error where it is longer than max_description_octets.
  [[nodiscard]] std::string encode() const;

  /// Reads a description and checks it: names, types, that each field lies within its record and that no two of a table
  /// have one name. Throws Error that says what is wrong.
  static StreamDescription decode(std::string_view text);

  friend bool operator==(const StreamDescription&, const StreamDescription&) = default;
};

/// A description of that kind without tables.
[[nodiscard]] inline StreamDescription stream_of(StreamKind kind, std::uint32_t needs = 0) {
  StreamDescription stream;
  stream.kind = kind;
  stream.needs = needs;
  return stream;
}

inline constexpr std::size_t max_description_octets = 128 << 10;
inline constexpr std::size_t max_tables = 64;
inline constexpr std::size_t max_fields = 1024; ///< of a table
inline constexpr std::uint32_t max_fixed_octets = 32 << 10;

/// Why a table cannot be: an empty string where it can. Used by decode(), and before a stream is written.
[[nodiscard]] std::string check_table(const TableDescription& table, std::uint32_t header_octets);

} // namespace orbweaver
