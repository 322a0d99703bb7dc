// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/bytes.hpp"

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace orbweaver::craft {
namespace {

void append_number(Bytes& bytes, std::uint64_t value, unsigned width, std::endian order) {
  for (unsigned i = 0; i < width; ++i) {
    const unsigned shift = 8 * (order == std::endian::big ? width - 1 - i : i);
    bytes.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

void store_number(Bytes& bytes, std::size_t offset, std::uint64_t value, unsigned width, std::endian order) {
  Bytes number;
  append_number(number, value, width, order);
  for (unsigned i = 0; i < width; ++i)
    bytes.at(offset + i) = number[i];
}

} // namespace

Bytes to_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

void append(Bytes& bytes, std::span<const std::uint8_t> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void append_u8(Bytes& bytes, std::uint64_t value) {
  append_number(bytes, value, 1, std::endian::big);
}
void append_u16(Bytes& bytes, std::uint64_t value, std::endian order) {
  append_number(bytes, value, 2, order);
}
void append_u32(Bytes& bytes, std::uint64_t value, std::endian order) {
  append_number(bytes, value, 4, order);
}
void append_u64(Bytes& bytes, std::uint64_t value, std::endian order) {
  append_number(bytes, value, 8, order);
}

void store_u16(Bytes& bytes, std::size_t offset, std::uint64_t value, std::endian order) {
  store_number(bytes, offset, value, 2, order);
}

void store_u32(Bytes& bytes, std::size_t offset, std::uint64_t value, std::endian order) {
  store_number(bytes, offset, value, 4, order);
}

void pad_to_multiple(Bytes& bytes, std::size_t unit) {
  bytes.resize((bytes.size() + unit - 1) / unit * unit);
}

void prepend(Bytes& bytes, std::span<const std::uint8_t> header) {
  bytes.insert(bytes.begin(), header.begin(), header.end());
}

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum += i % 2 == 0 ? std::uint64_t{bytes[i]} << 8 : std::uint64_t{bytes[i]};
  while (sum > 0xffff)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

void save(const std::string& path, std::span<const std::uint8_t> bytes) {
  const auto fail = [&] { throw std::system_error(errno, std::generic_category(), "cannot write " + path); };
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  if (file == nullptr)
    fail();
  const bool written = bytes.empty() || std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (std::fclose(file) != 0 || !written)
    fail();
}

} // namespace orbweaver::craft
