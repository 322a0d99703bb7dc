// SPDX-License-Identifier: GPL-3.0-or-later
// Byte strings that tests put together: appending numbers in either byte order, and the Internet checksums.
// Shared by the packet builder and the capture writer; no thread of its own.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::craft {

using Bytes = std::vector<std::uint8_t>;

Bytes to_bytes(std::string_view text);

void append(Bytes& bytes, std::span<const std::uint8_t> more);

/// Appends the low 8, 16, 32 bits of `value`, by default in network byte order.
void append_u8(Bytes& bytes, std::uint64_t value);
void append_u16(Bytes& bytes, std::uint64_t value, std::endian order = std::endian::big);
void append_u32(Bytes& bytes, std::uint64_t value, std::endian order = std::endian::big);
void append_u64(Bytes& bytes, std::uint64_t value, std::endian order = std::endian::big);

/// Overwrites 16 or 32 bits at `offset`. The bytes must be there already.
void store_u16(Bytes& bytes, std::size_t offset, std::uint64_t value, std::endian order = std::endian::big);
void store_u32(Bytes& bytes, std::size_t offset, std::uint64_t value, std::endian order = std::endian::big);

/// Appends zeros up to the next multiple of `unit`.
void pad_to_multiple(Bytes& bytes, std::size_t unit);

void prepend(Bytes& bytes, std::span<const std::uint8_t> header);

/// The Internet checksum (RFC 1071) of `bytes`, as it is stored in a header whose checksum field is still 0.
std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes);

/// CRC-32C as SCTP uses it (RFC 9260, appendix A), in the order in which its bytes are sent when stored little endian.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes);

/// Writes `bytes` to the file at `path`, replacing it. Throws std::system_error.
void save(const std::string& path, std::span<const std::uint8_t> bytes);

} // namespace orbweaver::craft
