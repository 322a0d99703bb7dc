// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/stream_header.hpp"

#include "common/error.hpp"
#include "common/stream/checksum.hpp"
#include "common/stream/record.hpp"

#include <cstddef>
#include <span>

namespace orbweaver {

EncodedStream encode_stream(const StreamDescription& stream) {
  EncodedStream encoded{{stream_magic, stream_version, stream.kind}, stream.encode()};
  encoded.text.resize(record_stride(encoded.text.size()), ' ');
  encoded.header.description_octets = static_cast<std::uint32_t>(encoded.text.size());
  return encoded;
}

std::uint64_t stream_checksum(const StreamHeader& header, std::string_view text) noexcept {
  StreamHeader bare = header;
  bare.checksum = checksum(std::as_bytes(std::span(text)));
  return checksum(std::as_bytes(std::span(&bare, 1)));
}

std::string check_stream_header(const StreamHeader& header, StreamKind expected) {
  if (header.magic != stream_magic)
    return "not an Orbweaver stream (something else is at offset 0)";
  if (header.version != stream_version)
    return "stream version " + std::to_string(header.version) + " (at offset " +
           std::to_string(offsetof(StreamHeader, version)) + "), this program reads version " +
           std::to_string(stream_version) + ": record it again with this version";
  if (header.kind != expected)
    return "holds " + std::string(to_string(header.kind)) + ", wanted " + std::string(to_string(expected));
  if (header.description_octets == 0 || header.description_octets > max_description_octets ||
      header.description_octets % record_alignment != 0)
    return "damaged at offset " + std::to_string(offsetof(StreamHeader, description_octets)) + ": a description of " +
           std::to_string(header.description_octets) + " octets";
  return {};
}

StreamDescription decode_stream(const StreamHeader& header, std::string_view text) {
  const auto damaged = "damaged at offset " + std::to_string(sizeof(StreamHeader)) + ", in its description: ";
  try {
    auto stream = StreamDescription::decode(text);
    if (stream.kind != header.kind)
      throw Error("it is one of " + std::string(to_string(stream.kind)));
    return stream;
  } catch (const Error& error) {
    throw Error(damaged + error.what());
  }
}

} // namespace orbweaver
