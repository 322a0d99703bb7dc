// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/host_name.hpp"

#include "common/address.hpp"

#include <algorithm>
#include <idn2.h>

namespace orbweaver {

namespace {

constexpr std::size_t max_name_octets = 253; // RFC 1035, 2.3.4, as text

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// Letters, digits, hyphens and dots (RFC 1123, 2.1), and the underscore, which names of services have.
bool is_of_names(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

std::optional<std::string> to_ascii(std::string_view text) {
  char* converted = nullptr;
  if (text.find('\0') != text.npos ||
      idn2_to_ascii_8z(std::string(text).c_str(), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
    return std::nullopt;
  std::string name = converted;
  idn2_free(converted);
  return name;
}

} // namespace

std::optional<std::string> host_name(std::string_view text) {
  const auto name = is_ascii(text) ? std::optional(std::string(text)) : to_ascii(text);
  const bool is_name =
      name && !name->empty() && name->size() <= max_name_octets && std::ranges::all_of(*name, is_of_names);
  return is_name || (name && parse_address(*name).version == 6) ? name : std::nullopt;
}

} // namespace orbweaver
