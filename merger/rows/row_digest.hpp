// SPDX-License-Identifier: GPL-3.0-or-later
// What a row adds to a digest: a hash of its values, whatever they are printed as and wherever they lie in the record.
// Owned by the merger's thread.
//
// The values are gathered one after another, in the order of the table's fields: numbers as they are, a null as zeros
// and a flag, texts and lists behind their length. The names and types of table and fields are in the seed: the same
// octets under another name are another value.
#pragma once

#include "common/stream/description.hpp"
#include "merger/rows/digest.hpp"
#include "merger/rows/row.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbweaver {

class RowDigest {
public:
  explicit RowDigest(const TableDescription& table);

  void add(RowView row, Digest& digest);

private:
  struct Step {
    /// Writes a value at `out`, and returns the place after it.
    std::byte* (*gather)(RowView row, std::uint32_t offset, std::byte* out) noexcept;
    std::uint32_t offset;
  };

  std::vector<Step> steps_;
  std::uint64_t seed_;
  std::size_t max_octets_ = 0; ///< of what is gathered of the fixed part
  std::uint32_t record_octets_;
  std::vector<std::byte> gathered_;
};

} // namespace orbweaver
