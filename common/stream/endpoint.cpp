// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/endpoint.hpp"

#include "common/error.hpp"
#include "common/stream/ring/shared_memory.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

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

void refuse_same_file(const std::string& input_path, const std::string& output_path) {
  std::error_code none; // one of them does not exist: they are not the same
  if (std::filesystem::equivalent(input_path, output_path, none))
    throw UsageError(output_path +
                     " is the input as well: it would be overwritten before it is read; name another output");
}

void refuse_same_file(const Endpoint& input, const Endpoint& output) {
  if (input.kind != output.kind)
    return;
  if (input.kind == Endpoint::Kind::file)
    refuse_same_file(input.name, output.name);
  else if (input.name == output.name)
    throw UsageError("ring:" + input.name + " cannot be input and output at once; name another ring");
}

bool same_file(const std::string& path, const std::string& other) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (fs::exists(path, none) && fs::exists(other, none))
    return fs::is_regular_file(path, none) && fs::equivalent(path, other, none);
  const auto place = [&](const std::string& name) { return fs::weakly_canonical(fs::absolute(name, none), none); };
  return !path.empty() && !other.empty() && place(path) == place(other);
}

std::string Endpoint::segment_name() const {
  return std::string(segment_prefix) + name;
}

} // namespace orbweaver
