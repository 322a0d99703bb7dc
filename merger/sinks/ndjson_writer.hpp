// SPDX-License-Identifier: GPL-3.0-or-later
// Flow records as lines of NDJSON. The field table of a stream is turned into a plan once, so that a line costs a few
// copies of fixed size a field. Owned by the merger; a plan does not change, any thread may print by it.
#pragma once

#include "common/stream/stream_header.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace orbweaver {

/// Prints the flow records of one stream, as its field table says:
///
///   boolean                    true for anything but 0
///   u8 … u64                   a decimal number
///   boolean_or_null … u32_or_null  null where negative
///   address                    a string: dotted, or by RFC 5952; null where the version is neither 4 nor 6
///   time_ns                    seconds since the epoch with all their digits, at least one decimal
///   end_reason                 the IPFIX name; null for a value that has none
///
/// One object a line, fields in the table's order. Names are escaped.
class NdjsonWriter {
public:
  /// `stream` must have passed check_stream_header for StreamKind::flows.
  explicit NdjsonWriter(const StreamHeader& stream);

  /// The room that print() needs.
  [[nodiscard]] std::size_t max_line_bytes() const noexcept { return max_line_bytes_; }

  /// Octets of the records that print() reads.
  [[nodiscard]] std::uint32_t record_bytes() const noexcept { return record_bytes_; }

  /// Prints one record of record_bytes() octets as a line that ends with its newline, and returns the place after that.
  /// `out` has max_line_bytes() octets, all of which may be overwritten.
  char* print(const std::byte* record, char* out) const noexcept;

private:
  struct Step {
    std::uint32_t label_at; ///< in labels_: `,"name":`, or `{"name":` for the first
    std::uint16_t label_length;
    FieldType type;
    std::uint32_t offset; ///< in the record
  };

  std::vector<Step> steps_;
  std::string labels_; ///< one after the other; label_copy more octets at the end, since they are copied in one size
  std::size_t max_line_bytes_;
  std::uint32_t record_bytes_;
};

} // namespace orbweaver
