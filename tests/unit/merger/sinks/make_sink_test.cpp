// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/make_sink.hpp"

#include "common/error.hpp"
#include "merger/sinks/csv_sink.hpp"
#include "merger/sinks/ndjson_sink.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

std::string target(const std::string& output, const std::string& format = {}) {
  const auto parsed = parse_output(output, format);
  return std::string(parsed.format) + " " + parsed.path;
}

} // namespace

TEST_CASE("the format is the one that is named, else what stands before the path, else the suffix, else NDJSON") {
  CHECK(target("") == "ndjson ");
  CHECK(target("-") == "ndjson -");
  CHECK(target("flows") == "ndjson flows");
  CHECK(target("flows.ndjson") == "ndjson flows.ndjson");
  CHECK(target("flows.csv") == "csv flows.csv");
  CHECK(target("flows.csv", "ndjson") == "ndjson flows.csv");
  CHECK(target("", "csv") == "csv ");
  CHECK(target("csv:flows.txt") == "csv flows.txt");
  CHECK(target("csv:-") == "csv -");
  CHECK(target("csv:flows.txt", "csv") == "csv flows.txt");
  CHECK(target("ndjson:flows.csv") == "ndjson flows.csv");
  CHECK(target("a:b.csv") == "csv a:b.csv"); // a file whose name has a colon
}

TEST_CASE("a format that there is not, or two of them, are bad usage that names those that there are") {
  CHECK_THROWS_WITH_AS(target("x", "parquet"), "--format: there is no format 'parquet'; there are: ndjson, csv",
                       UsageError);
  CHECK_THROWS_WITH_AS(target("kafka://host/flows"),
                       "--output kafka://host/flows: there is no format 'kafka'; there are: ndjson, csv", UsageError);
  CHECK_THROWS_WITH_AS(target("csv:x", "ndjson"), doctest::Contains("leave one of them out"), UsageError);
}

TEST_CASE("every format has a sink") {
  const Scratch scratch;
  for (const auto& format : output_formats)
    CHECK(make_sink({format.name, scratch.path("out")}) != nullptr);
  CHECK(dynamic_cast<CsvSink*>(make_sink({"csv", scratch.path("out")}).get()) != nullptr);
  CHECK(dynamic_cast<NdjsonSink*>(make_sink({"ndjson", scratch.path("out")}).get()) != nullptr);
  CHECK_THROWS_AS(static_cast<void>(make_sink({"xml", scratch.path("out")})), UsageError);
}
