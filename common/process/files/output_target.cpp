// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/output_target.hpp"

#include "common/error.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

const OutputFormat& format_named(const std::string& name, const std::string& given_by) {
  const auto* const found = std::ranges::find(output_formats, name, &OutputFormat::name);
  if (found == std::end(output_formats))
    throw UsageError(given_by + ": there is no format '" + name + "'; there are: " + output_format_names());
  return *found;
}

} // namespace

std::string output_format_names() {
  std::string names;
  for (const auto& format : output_formats)
    names.append(names.empty() ? "" : ", ").append(format.name);
  return names;
}

OutputTarget parse_results_output(const std::string& output) {
  const auto target = parse_output(output, {});
  if (target.format != output_formats[0].name)
    throw UsageError("results of jobs are written as " + std::string(output_formats[0].name) + ", and --output " +
                     output + " says " + std::string(target.format) + ": give the file another name");
  return target;
}

OutputTarget parse_output(const std::string& output, const std::string& format) {
  std::string path = output, scheme;
  if (const auto colon = output.find(':'); colon != std::string::npos) {
    scheme = output.substr(0, colon);
    if (output.find("://") == colon) // a URI: a format, or a mistake
      static_cast<void>(format_named(scheme, "--output " + output));
    if (std::ranges::find(output_formats, scheme, &OutputFormat::name) == std::end(output_formats))
      scheme.clear(); // a file whose name has a colon
    else
      path = output.substr(colon + 1);
  }
  if (!format.empty()) {
    const auto& named = format_named(format, "--format");
    if (!scheme.empty() && scheme != format)
      throw UsageError("--output " + output + " is " + scheme + ", --format says " + format +
                       ": leave one of them out");
    return {named.name, path};
  }
  if (!scheme.empty())
    return {format_named(scheme, "--output").name, path};
  constexpr std::string_view compressed = ".zst";
  const auto plain = path.ends_with(compressed) ? path.substr(0, path.size() - compressed.size()) : path;
  for (const auto& known : output_formats)
    if (plain.ends_with(known.suffix))
      return {known.name, path};
  return {output_formats[0].name, path};
}

} // namespace orbweaver
