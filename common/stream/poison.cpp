// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/poison.hpp"

#include "common/stream/checksum.hpp"
#include "common/stream/stream_header.hpp"

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

namespace orbweaver {

bool write_poison(int fd, const StreamDescription& stream, const RecordHeader& record) {
  const std::string alone(reinterpret_cast<const char*>(&record), record.length);
  return write_poison(fd, stream, {&alone, 1});
}

bool write_poison(int fd, const StreamDescription& stream, std::span<const std::string> those) {
  auto [header, description] = encode_stream(stream);
  header.checksum = stream_checksum(header, description);
  const auto octets_of = [](const auto& value, std::size_t size) {
    return std::string_view(reinterpret_cast<const char*>(&value), size);
  };
  std::string records;
  for (const auto& record : those)
    records.append(record).resize(record_stride(records.size()));
  const EndRecord end{{sizeof end, RecordKind::end, 0}, EndCause::complete};
  records += octets_of(end, sizeof end);
  const BlockRecord block{
      {sizeof block, RecordKind::block, 0}, records.size(), checksum(std::as_bytes(std::span(records)))};
  std::string text(octets_of(header, sizeof header));
  text.append(description).append(octets_of(block, sizeof block)).append(records);
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::vector<std::string_view> recordings_in(std::string_view octets) {
  std::vector<std::string_view> recordings;
  while (!octets.empty()) {
    StreamHeader header;
    BlockRecord block{};
    std::uint64_t size = octets.size();
    if (octets.size() >= sizeof header) {
      std::memcpy(&header, octets.data(), sizeof header);
      const std::uint64_t block_at = sizeof header + header.description_octets;
      if (block_at + sizeof block <= octets.size()) {
        std::memcpy(&block, octets.data() + block_at, sizeof block);
        if (const auto rest = octets.size() - block_at - sizeof block; block.octets < rest)
          size = block_at + sizeof block + block.octets;
      }
    }
    const bool is_followed = octets.substr(size).starts_with({stream_magic.data(), stream_magic.size()});
    recordings.push_back(is_followed ? octets.substr(0, size) : octets);
    octets.remove_prefix(recordings.back().size());
  }
  return recordings;
}

} // namespace orbweaver
