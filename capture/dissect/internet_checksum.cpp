// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/internet_checksum.hpp"

#include "capture/dissect/octets.hpp"

namespace orbweaver {

std::uint32_t internet_sum(const std::uint8_t* octets, std::uint32_t length, std::uint32_t sum) noexcept {
  std::uint64_t total = sum;
  for (; length >= 2; octets += 2, length -= 2)
    total += be16(octets);
  if (length != 0)
    total += static_cast<std::uint64_t>(*octets) << 8;
  while (total >> 16)
    total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint32_t>(total);
}

bool ipv4_checksum_is_right(const std::uint8_t* ip, std::uint32_t length) noexcept {
  return internet_sum(ip, length) == 0xffff;
}

bool ipv6_checksum_is_right(const std::uint8_t* ip, std::uint32_t length) noexcept {
  constexpr std::uint32_t header = 40, addresses_at = 8, addresses = 32;
  const std::uint8_t protocol = ip[6];
  if (protocol != 6 && protocol != 17 && protocol != 58)
    return false;
  const std::uint32_t payload = left_after(length, header);
  const std::uint32_t pseudo = internet_sum(ip + addresses_at, addresses, payload + protocol);
  return internet_sum(ip + header, payload, pseudo) == 0xffff;
}

} // namespace orbweaver
