// SPDX-License-Identifier: GPL-3.0-or-later
// Recorded files made by hand: for records that no writer would write. Checksums and all are as they must be.
#pragma once

#include "common/stream/checksum.hpp"
#include "common/stream/record.hpp"
#include "common/stream/stream_header.hpp"

#include <span>
#include <string>
#include <string_view>

namespace orbweaver::test {

/// Where the first record of a file lies.
inline constexpr std::size_t first_record = sizeof(StreamHeader) + sizeof(BlockRecord);

/// These records, each padded to 8 octets, as one block.
[[nodiscard]] inline std::string block_of(std::string_view records) {
  const BlockRecord block{
      {sizeof(BlockRecord), RecordKind::block, 0}, records.size(), checksum(std::as_bytes(std::span(records)))};
  return std::string(reinterpret_cast<const char*>(&block), sizeof block).append(records);
}

/// A file with that header, its checksum set, and these blocks.
[[nodiscard]] inline std::string file_of(StreamHeader header, std::string_view blocks) {
  header.checksum = header_checksum(header);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header).append(blocks);
}

} // namespace orbweaver::test
