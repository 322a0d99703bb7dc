// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/endpoint.hpp"

#include "common/error.hpp"
#include "common/shared_memory.hpp"

#include <algorithm>
#include <cctype>

namespace orbweaver {

Endpoint Endpoint::parse(const std::string& text) {
  if (text.starts_with("file:") && text.size() > 5)
    return {Kind::file, text.substr(5)};
  if (text.starts_with("ring:")) {
    auto name = text.substr(5);
    const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_'; };
    if (!name.empty() && name.size() <= 96 && std::all_of(name.begin(), name.end(), fits))
      return {Kind::ring, std::move(name)};
    throw UsageError("endpoint '" + text + "': a ring's name has 1 to 96 letters, digits, dots, dashes or underscores");
  }
  throw UsageError("endpoint '" + text + "': give ring:NAME or file:PATH");
}

std::string Endpoint::segment_name() const {
  return std::string(segment_prefix) + name;
}

} // namespace orbweaver
