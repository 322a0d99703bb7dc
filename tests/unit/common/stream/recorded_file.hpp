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

/// Where the first block of a file of that stream lies, and its first record.
[[nodiscard]] inline std::size_t header_octets(const StreamDescription& stream) {
  return sizeof(StreamHeader) + encode_stream(stream).text.size();
}
[[nodiscard]] inline std::size_t first_record(const StreamDescription& stream) {
  return header_octets(stream) + sizeof(BlockRecord);
}

/// These records, each padded to 8 octets, as one block.
[[nodiscard]] inline std::string block_of(std::string_view records) {
  const BlockRecord block{
      {sizeof(BlockRecord), RecordKind::block, 0}, records.size(), checksum(std::as_bytes(std::span(records)))};
  return std::string(reinterpret_cast<const char*>(&block), sizeof block).append(records);
}

/// A file that begins with that header, its checksum set, and that description, and has these blocks.
[[nodiscard]] inline std::string file_of(EncodedStream stream, std::string_view blocks) {
  stream.header.checksum = stream_checksum(stream.header, stream.text);
  return std::string(reinterpret_cast<const char*>(&stream.header), sizeof stream.header)
      .append(stream.text)
      .append(blocks);
}
[[nodiscard]] inline std::string file_of(const StreamDescription& stream, std::string_view blocks) {
  return file_of(encode_stream(stream), blocks);
}

} // namespace orbweaver::test
