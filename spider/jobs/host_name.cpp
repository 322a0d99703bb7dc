// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/jobs/host_name.hpp"

#include "common/address.hpp"

#include <algorithm>
#include <idn2.h>
#include <utility>

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

/// By its A-labels; empty where it has none.
std::string to_ascii(std::string_view text) {
  char* converted = nullptr;
  if (text.find('\0') != text.npos ||
      idn2_to_ascii_8z(std::string(text).c_str(), &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
    return {};
  std::string name = converted;
  idn2_free(converted);
  return name;
}

/// Of a name of the right octets; empty where nothing is.
std::string what_is_wrong(std::string_view name) {
  if (name.size() > max_name_octets)
    return "more than " + std::to_string(max_name_octets) + " octets";
  if (name.starts_with('.') || name.find("..") != name.npos)
    return "an empty label";
  return {};
}

} // namespace

HostName host_name(std::string_view text) {
  if (parse_address(text).version == 6)
    return {std::string(text)};
  if (text.empty())
    return {{}, "nothing"};
  std::string name = is_ascii(text) ? std::string(text) : to_ascii(text);
  if (name.empty())
    return {{}, "it has no ASCII form"};
  if (!std::ranges::all_of(name, is_of_names))
    return {{}, "characters that no name has"};
  if (auto problem = what_is_wrong(name); !problem.empty())
    return {{}, std::move(problem)};
  return {std::move(name)};
}

} // namespace orbweaver
