// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/make_sink.hpp"

#include "common/error.hpp"
#include "merger/sinks/csv_sink.hpp"
#include "merger/sinks/ndjson_sink.hpp"

#include <iterator>

namespace orbweaver {

namespace {

template <typename Kind>
std::unique_ptr<Sink> make(const std::string& path, const OutputPolicy& policy) {
  return std::make_unique<Kind>(path, policy);
}

/// In the order of output_formats.
constexpr std::unique_ptr<Sink> (*makers[])(const std::string& path, const OutputPolicy& policy) = {make<NdjsonSink>,
                                                                                                    make<CsvSink>};
static_assert(std::size(makers) == std::size(output_formats));

} // namespace

std::unique_ptr<Sink> make_sink(const OutputTarget& target, const OutputPolicy& policy) {
  for (std::size_t i = 0; i < std::size(makers); ++i)
    if (output_formats[i].name == target.format)
      return makers[i](target.path, policy);
  throw UsageError("there is no format '" + std::string(target.format) + "'; there are: " + output_format_names());
}

} // namespace orbweaver
