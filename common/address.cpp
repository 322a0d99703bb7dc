// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace orbweaver {

Address parse_address(std::string_view text) noexcept {
  Address address{};
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos)
    return address;
  std::copy(text.begin(), text.end(), terminated.begin());
  if (inet_pton(AF_INET, terminated.data(), address.octets) == 1)
    address.version = 4;
  else if (inet_pton(AF_INET6, terminated.data(), address.octets) == 1)
    address.version = 6;
  return address;
}

std::string address_text(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(address.version == 4 ? AF_INET : AF_INET6, address.octets, text.data(), text.size());
  return text.data();
}

} // namespace orbweaver
