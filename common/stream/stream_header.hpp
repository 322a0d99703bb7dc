// SPDX-License-Identifier: GPL-3.0-or-later
// What opens a recorded file and describes a ring: this header, and behind it the stream's description as JSON text.
#pragma once

#include "common/stream/description.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace orbweaver {

/// Read by programs of other builds: `version` changes with any layout in record.hpp, packet_record.hpp,
/// packet_blocks.hpp, flow_record.hpp, job_record.hpp, the codes of field_types.hpp, or here.
struct StreamHeader {
  std::array<char, 8> magic{};
  std::uint32_t version{};
  StreamKind kind{};
  std::uint64_t checksum{};           ///< files: stream_checksum(); 0 in a ring
  std::uint32_t description_octets{}; ///< of the JSON text that follows; in a file a multiple of 8, padded with spaces
  std::uint32_t reserved{};
};
static_assert(sizeof(StreamHeader) == 32);

inline constexpr std::array<char, 8> stream_magic{'O', 'R', 'B', 'S', 'T', 'R', 'M', '\n'};
inline constexpr std::uint32_t stream_version = 7;

/// The header and text of a stream, as they stand at the start of a file and, without a checksum, in a ring.
struct EncodedStream {
  StreamHeader header;
  std::string text;
};
[[nodiscard]] EncodedStream encode_stream(const StreamDescription& stream);

/// The checksum of header and description, its own field taken as 0.
[[nodiscard]] std::uint64_t stream_checksum(const StreamHeader& header, std::string_view text) noexcept;

/// Why a header cannot be that of a stream of that kind (magic, version, kind, length of its description), or an empty
/// string. Says at which offset it is damaged.
[[nodiscard]] std::string check_stream_header(const StreamHeader& header, StreamKind expected);

/// The description of a stream whose header is sound. Throws Error that says why there is none.
[[nodiscard]] StreamDescription decode_stream(const StreamHeader& header, std::string_view text);

} // namespace orbweaver
