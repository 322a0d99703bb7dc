// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/poison.hpp"

#include "common/stream/checksum.hpp"
#include "common/stream/stream_header.hpp"

#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

namespace orbweaver {

bool write_poison(int fd, const StreamDescription& stream, const RecordHeader& record) {
  auto [header, description] = encode_stream(stream);
  header.checksum = stream_checksum(header, description);
  const auto octets_of = [](const auto& value, std::size_t size) {
    return std::string_view(reinterpret_cast<const char*>(&value), size);
  };
  std::string records(octets_of(record, record.length));
  records.resize(record_stride(records.size()));
  const EndRecord end{{sizeof end, RecordKind::end, 0}, EndCause::complete};
  records += octets_of(end, sizeof end);
  const BlockRecord block{
      {sizeof block, RecordKind::block, 0}, records.size(), checksum(std::as_bytes(std::span(records)))};
  std::string text(octets_of(header, sizeof header));
  text.append(description).append(octets_of(block, sizeof block)).append(records);
  return write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

} // namespace orbweaver
