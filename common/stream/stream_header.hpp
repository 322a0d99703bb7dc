// SPDX-License-Identifier: GPL-3.0-or-later
// What a stream of records says of itself: at the start of a recorded file, and in the header of a ring.
// A flow stream describes its records field by field, so that any tool prints flows without linking a chain.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace orbweaver {

/// What a stream carries besides ticks, losses and its end.
enum class StreamKind : std::uint32_t { packets = 1, flows = 2, jobs = 3 };

[[nodiscard]] std::string_view to_string(StreamKind kind) noexcept;

/// How a field lies in a flow record (host byte order) and prints as JSON.
/// Types with `or_null` are signed and one size up: a negative value prints as null.
enum class FieldType : std::uint8_t {
  boolean = 1, ///< 1 octet, 0 or 1
  u8 = 2,
  u16 = 3,
  u32 = 4,
  u64 = 5,
  boolean_or_null = 6, ///< int8
  u8_or_null = 7,      ///< int16
  u16_or_null = 8,     ///< int32
  u32_or_null = 9,     ///< int64
  address = 10,        ///< 16 octets, network order (IPv4 in the first 4), then 1 octet of IP version
  time_ns = 11,        ///< u64, prints as seconds since the epoch with all its digits
  end_reason = 12,     ///< u8, prints as the name of IPFIX element 136
};

/// Octets that a field of that type takes; 0 for a type that does not exist.
[[nodiscard]] std::uint32_t field_size(FieldType type) noexcept;

/// One field of a flow record.
struct FieldDescriptor {
  std::array<char, 40> name{};  ///< NUL-terminated
  std::array<char, 16> chain{}; ///< NUL-terminated; empty for the fields that every flow has
  FieldType type{};
  std::uint8_t reserved[3]{};
  std::uint32_t offset{}; ///< from the start of the record, its header included

  [[nodiscard]] std::string_view name_view() const noexcept { return name.data(); }
  [[nodiscard]] std::string_view chain_view() const noexcept { return chain.data(); }
};
static_assert(sizeof(FieldDescriptor) == 64);

inline constexpr std::size_t max_fields = 240;

/// Opens a recorded file and describes a ring. Read by programs of other builds: `version` changes with any layout in
/// record.hpp, packet_record.hpp, packet_blocks.hpp, flow_record.hpp or here.
struct StreamHeader {
  std::array<char, 8> magic{};
  std::uint32_t version{};
  StreamKind kind{};
  std::uint64_t checksum{};     ///< files: header_checksum(); 0 in a ring
  std::uint32_t needs{};        ///< packets: what the records carry (Need)
  std::uint32_t record_bytes{}; ///< flows: octets of every flow record, header included
  std::uint32_t field_count{};
  std::uint32_t reserved[7]{};
  std::array<FieldDescriptor, max_fields> fields{};

  [[nodiscard]] std::span<const FieldDescriptor> field_table() const noexcept { return {fields.data(), field_count}; }
};
static_assert(sizeof(StreamHeader) == 64 + 64 * max_fields);

inline constexpr std::array<char, 8> stream_magic{'O', 'R', 'B', 'S', 'T', 'R', 'M', '\n'};
inline constexpr std::uint32_t stream_version = 4;

/// A header of that kind with magic and version set.
[[nodiscard]] StreamHeader make_stream_header(StreamKind kind) noexcept;

/// The checksum of the whole header, its own field taken as 0.
[[nodiscard]] std::uint64_t header_checksum(const StreamHeader& header) noexcept;

/// Why a header cannot be read as a stream of that kind (magic, version, kind, or a field that lies outside of its
/// record), or an empty string. Says at which offset of the header it is damaged.
[[nodiscard]] std::string check_stream_header(const StreamHeader& header, StreamKind expected);

/// The same for the header of a file, which has a checksum.
[[nodiscard]] std::string check_file_header(const StreamHeader& header, StreamKind expected);

} // namespace orbweaver
