// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/rotation.hpp"

#include "common/error.hpp"
#include "tests/unit/common/scratch.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <sys/stat.h>

using namespace orbweaver;

namespace {

std::string refusal(const std::string& path) {
  try {
    static_cast<void>(rotated_names(path));
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr std::uint64_t second = 1'700'000'000; // 2023-11-14T22:13:20Z, day 318

} // namespace

TEST_CASE("Bounds of files are times or sizes, with their unit") {
  CHECK(parse_file_bound("--rotate", "30s").seconds == 30);
  CHECK(parse_file_bound("--rotate", "5m").seconds == 300);
  CHECK(parse_file_bound("--rotate", "1h").seconds == 3600);
  CHECK(parse_file_bound("--keep", "7d").seconds == 604'800);
  CHECK(parse_file_bound("--keep", "64KiB").octets == 65'536);
  CHECK(parse_file_bound("--keep", "100GiB").octets == 107'374'182'400);
  CHECK(parse_file_bound("--keep", "100GiB").seconds == 0);
  for (const auto* bad :
       {"", "5", "m", "-5m", " 5m", "5 m", "5min", "5M", "1GB", "0s", "0GiB", "1.5h", "99999999999999TiB"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(static_cast<void>(parse_file_bound("--rotate", bad)), UsageError);
  }
}

TEST_CASE("A name has its file's second in UTC, and a number where there is one of that name") {
  setenv("TZ", "America/New_York", 1);
  const NamePattern names("/data/flows-%Y%m%dT%H%M%SZ.ndjson");
  CHECK(names.name(second) == "flows-20231114T221320Z.ndjson");
  unsetenv("TZ");
  CHECK(names.folder() == "/data/");
  CHECK(names.name(second) == "flows-20231114T221320Z.ndjson");
  CHECK(names.name(second, 2) == "flows-20231114T221320Z.2.ndjson");
  CHECK(names.path_of("x") == "/data/x");
  CHECK(names.manifest() == "/data/flows.manifest");
  CHECK(NamePattern("%F_%T-%j-%y.csv.zst").name(second, 1) == "2023-11-14_22:13:20-318-23.1.csv.zst");
  CHECK(NamePattern("100%%-%s").name(second, 3) == "100%-1700000000.3");
  CHECK(NamePattern("%s.ndjson").manifest() == "rotated.manifest");
  CHECK(NamePattern("%s.ndjson").folder() == ".");
  CHECK(NamePattern("a.%s").name(second, 1) == "a.1700000000.1");
}

TEST_CASE("A name is of a series where it may have been given, and nowhere else") {
  const NamePattern names("flows-%Y%m%dT%H%M%SZ.ndjson.zst");
  for (const unsigned number : {0U, 1U, 1000U})
    CHECK(names.matches(names.name(second, number)));
  for (const auto* other :
       {"", "flows-20231114T221320Z.ndjson", "flows-20231114T221320Z.ndjson.zst.part",
        "flows-2023111T221320Z.ndjson.zst", "xflows-20231114T221320Z.ndjson.zst", "flows-20231114T221320Z..ndjson.zst",
        "flows-20231114T221320Z.x.ndjson.zst", "flows-20231114T22132.Z.ndjson.zst",
        "flows-20231114T221320Z.1.2.ndjson.zst", "flows.manifest", ".ndjson.zst"}) {
    CAPTURE(other);
    CHECK_FALSE(names.matches(other));
  }
  CHECK(NamePattern("%s").matches("1700000000"));
  CHECK_FALSE(NamePattern("%s").matches("1700000000x"));
  const NamePattern tables("flows-%H%M.csv");
  CHECK(is_of_series(tables, "flows-1200.csv"));
  CHECK(is_of_series(tables, "flows-1200.dns.csv"));
  CHECK(is_of_series(tables, "flows-1200.1.csv"));
  CHECK_FALSE(tables.matches("flows-1200.dns.csv"));
  CHECK_FALSE(is_of_series(tables, "flows-1200.../x.csv"));
  CHECK_FALSE(is_of_series(tables, "flows-1200.a b.csv"));
}

TEST_CASE("What cannot be one file after another is refused with what to do") {
  const test::Scratch scratch;
  const auto fifo = scratch.path("fifo");
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(contains(refusal(""), "standard output is none: give -o FILE"));
  CHECK(contains(refusal("-"), "standard output is none"));
  CHECK(contains(refusal(fifo), "is a FIFO"));
  CHECK(contains(refusal("/dev/null"), "is no regular file"));
  CHECK(contains(refusal("/tmp"), "is a folder"));
  CHECK(contains(refusal("flows.ndjson"), "give each its time"));
  CHECK(contains(refusal("%%.ndjson"), "give each its time"));
  CHECK(contains(refusal("%Y/%m.ndjson"), "in the file's name alone"));
  CHECK(contains(refusal("flows-%H%"), "stands at its end"));
  CHECK(contains(refusal("flows-%p.ndjson"), "%p is none of the times"));
  CHECK(refusal("flows-%Y.ndjson").empty());
}

TEST_CASE("The suffix of a compressed output is that of its format too") {
  const auto suffix = [](const std::string& path) { return path.substr(suffix_at(path)); };
  CHECK(suffix("a/b.c/flows.ndjson") == ".ndjson");
  CHECK(suffix("flows.csv.zst") == ".csv.zst");
  CHECK(suffix("flows.ndjson.zst") == ".ndjson.zst");
  CHECK(suffix("a.b/flows") == "");
  CHECK(suffix("a/.hidden") == "");
  CHECK(suffix("flows.x.zst") == ".zst");
  CHECK(is_compressed_name("flows.csv.zst"));
  CHECK_FALSE(is_compressed_name("flows.zst.csv"));
}
