// SPDX-License-Identifier: GPL-3.0-or-later
// Jobs from lines of every shape, and lines that are no jobs.
#include "common/address.hpp"
#include "common/error.hpp"
#include "spider/jobs/job_reader.hpp"
#include "tests/unit/common/scratch.hpp"

#include <array>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

struct Read {
  std::vector<Job> jobs;
  std::vector<std::string> bad; ///< "LINE: why"
  JobReaderCounters counters;
  std::uint64_t position = 0, size = 0;
};

Read read_jobs(const std::string& text, const JobReaderOptions& options = {}) {
  const Scratch scratch;
  write_file(scratch.path("jobs"), text);
  Read read;
  JobReader reader(scratch.path("jobs"), options, [&](std::uint64_t line, const std::string& why) {
    read.bad.push_back(std::to_string(line) + ": " + why);
  });
  Job job;
  for (auto next = reader.next(job); next != JobReader::Next::end; next = reader.next(job)) {
    REQUIRE(next != JobReader::Next::wait);
    if (next == JobReader::Next::job)
      read.jobs.push_back(job);
  }
  CHECK(reader.problem().empty());
  read.counters = reader.counters();
  read.position = reader.position_octets();
  read.size = reader.size_octets();
  return read;
}

/// Why a line is no job; empty where it is one.
std::string why_bad(const std::string& line, const JobReaderOptions& options = {}) {
  const Read read = read_jobs(line + "\n", options);
  CHECK(read.jobs.size() + read.bad.size() == 1);
  return read.bad.empty() ? "" : read.bad.front();
}

constexpr JobReaderOptions csv{.csv = true};

} // namespace

TEST_CASE("a job has what the spider reads of it, and carries the values of all its members as they came") {
  const std::string line =
      R"( {"dip" : "192.0.2.1","dp":8080, "domain":"example.org", "n":1e400, "big":123456789012345678901234567890,)"
      R"( "x": { "a":[1, 2 ,{"b":null}], "c":"\u00e9\"," } ,"t":true, "e":[] , "o":{},"dip_asn":64496 } )";
  const Read read = read_jobs(line + "\n");
  REQUIRE(read.jobs.size() == 1);
  const Job& job = read.jobs.front();
  CHECK(job.id == 1);
  CHECK(job.line == 1);
  CHECK(address_text(job.destination) == "192.0.2.1");
  CHECK(job.destination_port == 8080);
  CHECK(job.domain == "example.org");
  CHECK(job.destination_asn == 64496);
  CHECK(job.members ==
        R"("dip":"192.0.2.1","dp":8080,"domain":"example.org","n":1e400,"big":123456789012345678901234567890,)"
        R"("x":{ "a":[1, 2 ,{"b":null}], "c":"\u00e9\"," },"t":true,"e":[],"o":{},"dip_asn":64496)");
  CHECK(job.text == line.substr(1, line.size() - 2));
}

TEST_CASE("a byte order mark before the first line is no part of it") {
  const std::string mark = "\xEF\xBB\xBF";
  CHECK(read_jobs(mark + "{\"dip\":\"192.0.2.1\"}\n").jobs.size() == 1);
  CHECK(read_jobs(mark + "1,example.org\n", {.csv = true, .by_domain = true, .by_either = false}).jobs.at(0).members ==
        R"("domain":"example.org","rank":1)");
}

TEST_CASE("members that begin with an underscore, and those that the spider writes, do not go to the output") {
  const auto read = read_jobs(
      R"({"_a":1,"dip":"192.0.2.1","\u005fb":[2],"sip":"x","path":[1],"sip_public":1,"sip_asn":2,"z":{"_in":3}})");
  REQUIRE(read.jobs.size() == 1);
  CHECK(read.jobs.front().members == R"("dip":"192.0.2.1","z":{"_in":3})");
}

TEST_CASE("the target's AS is dip_asn, or else ASN in info") {
  CHECK(read_jobs(R"({"dip":"::1","info":{"Prefix":"x","ASN":3}})").jobs.front().destination_asn == 3);
  CHECK(read_jobs(R"({"dip":"::1","info":{"ASN":3},"dip_asn":4})").jobs.front().destination_asn == 4);
  CHECK(read_jobs(R"({"dip":"::1","info":{"ASN":"3"}})").jobs.front().destination_asn == 3);
  CHECK_FALSE(read_jobs(R"({"dip":"::1","info":[{"ASN":3}],"dip_asn":null})").jobs.front().destination_asn);
  CHECK_FALSE(read_jobs(R"({"dip":"::1","info":{"ASN":4294967296}})").jobs.front().destination_asn);
}

TEST_CASE("port and AS may be text, as lists made from CSV have them, and are carried through as they came") {
  const auto read = read_jobs(R"({"dip":"::1","dp":"8080","dip_asn":"64496"})");
  REQUIRE(read.jobs.size() == 1);
  CHECK(read.jobs.front().destination_port == 8080);
  CHECK(read.jobs.front().destination_asn == 64496);
  CHECK(read.jobs.front().members == R"("dip":"::1","dp":"8080","dip_asn":"64496")");
}

TEST_CASE("lines that are no jobs are named with their number, counted, and skipped") {
  const auto read =
      read_jobs("{\"dip\":\"192.0.2.1\"}\n\n[1]\n  \t\r\n{\"dip\":\"192.0.2.2\"}\nnonsense\n{\"dp\":80}\n");
  CHECK(read.jobs.size() == 2);
  CHECK(read.jobs.back().line == 5);
  CHECK(read.jobs.back().id == 2);
  REQUIRE(read.bad.size() == 3);
  CHECK(read.bad[0].starts_with("3: it is no JSON object"));
  CHECK(read.bad[1].starts_with("6: it is no JSON object"));
  CHECK(read.bad[2] == "7: it has no dip");
  CHECK(read.counters.lines_read == 5);
  CHECK(read.counters.lines_bad == 3);
  CHECK(read.position == read.size);
}

TEST_CASE("what is not quite JSON is no job") {
  for (const char* const line : {R"({"dip":"192.0.2.1")",
                                 R"({"dip":"192.0.2.1"} x)",
                                 R"({"dip":"192.0.2.1"}{"dip":"192.0.2.2"})",
                                 R"({"dip":"192.0.2.1",})",
                                 R"({"dip":"192.0.2.1","x":[1,,2]})",
                                 R"({"dip":"192.0.2.1","x":[1 2]})",
                                 R"({"dip":"192.0.2.1","x":01})",
                                 R"({"dip":"192.0.2.1","x":1.})",
                                 R"({"dip":"192.0.2.1","x":1e})",
                                 R"({"dip":"192.0.2.1","x":-})",
                                 R"({"dip":"192.0.2.1","x":nul})",
                                 R"({"dip":"192.0.2.1","x":nulls})",
                                 R"({"dip":"192.0.2.1","x":tru})",
                                 R"({"dip":"192.0.2.1","x":truely})",
                                 R"({"dip":"192.0.2.1","x":"\q"})",
                                 R"({"dip":"192.0.2.1","x":"\ud800"})",
                                 R"({"dip":"192.0.2.1","\q":1})",
                                 R"({"dip":"192.0.2.1" "x":1})",
                                 R"({"dip":"192.0.2.1","x":{"a":1,"b"}})",
                                 R"({"dip":"192.0.2.1","x":+1})",
                                 R"({"dip":"192.0.2.1","x":NaN})",
                                 R"({"dip":"192.0.2.1","x":[1})",
                                 R"({"dip":"192.0.2.1","x":{]})",
                                 "\"dip\"",
                                 "{",
                                 "}",
                                 "\xff",
                                 "{\"dip\":\"192.0.2.1\",\"x\":\"\xff\"}",
                                 "{\"dip\":\"192.0.2.1\",\"x\":\"a\tb\"}",
                                 R"({dip:"192.0.2.1"})",
                                 R"({"dip":"192.0.2.1","x":'a'})"}) {
    INFO(line);
    CHECK_FALSE(why_bad(line).empty());
  }
  CHECK(why_bad(R"({"dip":"192.0.2.1","x":)" + std::string(5000, '[') + std::string(5000, ']') + "}")
            .find("nested deeper") != std::string::npos);
  CHECK(why_bad(R"({"dip":"192.0.2.1","x":[)" + std::string(200, '[') + std::string(200, ']') + "]}").empty());
}

TEST_CASE("addresses, ports and names that cannot be are named") {
  CHECK(why_bad(R"({"dip":"192.0.2.256"})") == "1: dip is no address: '192.0.2.256'");
  CHECK(why_bad(R"({"dip":"example.org"})") == "1: dip is no address: 'example.org'");
  CHECK(why_bad(R"({"dip":""})") == "1: dip is no address: ''");
  CHECK(why_bad(R"({"dip":7})") == "1: dip is no string");
  CHECK(why_bad(R"({"dip":null})") == "1: it has no dip");
  CHECK(why_bad(R"({"dip":"::1","dip":"::2"})") == "1: dip stands in it twice");
  CHECK(why_bad(R"({"dip":")" + std::string(500, '1') + R"("})").size() < 120);
  for (const char* const port : {"0", "65536", "-1", "80.0", "\"\"", "\"http\"", "[80]", "true"})
    CHECK(why_bad(R"({"dip":"::1","dp":)" + std::string(port) + "}").starts_with("1: dp is no port"));
  CHECK(why_bad(R"({"dip":"::1","domain":7})") == "1: domain is no string");
  CHECK(why_bad(R"({"dip":"::1","dp":null,"domain":null})").empty());
}

TEST_CASE("a target that was there before is skipped, however its address is written") {
  const auto read =
      read_jobs("{\"dip\":\"2001:db8::1\"}\n{\"dip\":\"2001:DB8:0:0::1\",\"dp\":81}\n{\"dip\":\"2001:db8::2\"}\n");
  CHECK(read.jobs.size() == 2);
  CHECK(read.jobs.back().id == 2);
  CHECK(read.counters.lines_duplicate == 1);
  CHECK(read.counters.lines_bad == 0);
}

TEST_CASE("where names are the targets, a job needs a domain and no address, and names do not come twice") {
  const auto read = read_jobs("{\"domain\":\"a.example\"}\n{\"dip\":\"::1\"}\n{\"domain\":\"b.example\",\"dip\":\"::"
                              "1\"}\n{\"domain\":\"a.example\"}\n",
                              {.by_domain = true});
  CHECK(read.jobs.size() == 2);
  CHECK(read.bad == std::vector<std::string>{"2: it has no domain"});
  CHECK(read.counters.lines_duplicate == 1);
}

TEST_CASE("CSV has three shapes") {
  CHECK(read_jobs("7,example.org\n", {.csv = true, .by_domain = true}).jobs.front().members ==
        R"("domain":"example.org","rank":7)");
  const auto read =
      read_jobs("192.0.2.1,80,example.org\r\n2001:db8::1,,\"example.net\",\"x \"\"y\"\",z\"\n192.0.2.3,443,,12", csv);
  REQUIRE(read.jobs.size() == 3);
  CHECK(read.jobs[0].members == R"("dip":"192.0.2.1","dp":80,"domain":"example.org")");
  CHECK(read.jobs[0].text == R"({"dip":"192.0.2.1","dp":80,"domain":"example.org"})");
  CHECK(read.jobs[0].destination_port == 80);
  CHECK(read.jobs[1].members == R"("dip":"2001:db8::1","domain":"example.net","rank":"x \"y\",z")");
  CHECK_FALSE(read.jobs[1].destination_port);
  CHECK(read.jobs[2].members == R"("dip":"192.0.2.3","dp":443,"rank":12)");
  CHECK(read.jobs[2].domain.empty());
}

TEST_CASE("escapes are resolved where the spider reads a member, and keys are escaped only where they must be") {
  const auto read = read_jobs(R"({"d\u0069p":"10\u002e66.1.3","domain":"b\u00fccher.example","c\u006fnditions":[1],)"
                              R"("\u005fnote":1,"a\"b\u0001\u00e9":2,"info":{"ASN":"64496"}})"
                              "\n");
  REQUIRE(read.jobs.size() == 1);
  const Job& job = read.jobs.front();
  CHECK(address_text(job.destination) == "10.66.1.3");
  CHECK(job.domain == "xn--bcher-kva.example");
  CHECK(job.destination_asn == 64496);
  CHECK(job.members == R"("dip":"10\u002e66.1.3","domain":"b\u00fccher.example","conditions":[1],)"
                       "\"a\\\"b\\u0001é\":2,\"info\":{\"ASN\":\"64496\"}");
}

TEST_CASE("a domain is a name of a host, internationalized or not, or an IPv6 address") {
  const auto domain = [](const std::string& text) {
    const auto read = read_jobs(R"({"dip":"192.0.2.1","domain":")" + text + "\"}\n");
    return read.jobs.empty() ? read.bad.at(0) : read.jobs[0].domain;
  };
  CHECK(domain("bücher.example") == "xn--bcher-kva.example");
  CHECK(domain("Example.ORG.") == "Example.ORG.");
  CHECK(domain("_dns.resolver-1.arpa") == "_dns.resolver-1.arpa");
  CHECK(domain("2001:db8::7") == "2001:db8::7");
  CHECK(domain(std::string(253, 'a')) == std::string(253, 'a'));
  for (const std::string none : {"a b", "host:8080", "user@host", "a/b", "[2001:db8::7]", "a\\u0000b", "a\\nb", "%41",
                                 ".", "..", ".example.org", "a..example.org", "example.org..", "bücher..example"})
    CHECK(domain(none).starts_with("1: domain is no name of a host: "));
  CHECK(domain("a..b") == "1: domain is no name of a host: 'a..b' (an empty label)");
  CHECK(domain("bücher.example.") == "xn--bcher-kva.example.");
  CHECK(domain("bücher。example") == "xn--bcher-kva.example");
  CHECK(domain("").empty());
  CHECK(domain(std::string(254, 'a')).starts_with("1: domain is no name of a host: "));
  CHECK(domain(std::string(70, 'u') + "\u00fc.example").starts_with("1: domain is no name of a host: "));
}

TEST_CASE("a domain in upper case, or with a dot at its end, is the same target") {
  const auto read =
      read_jobs("{\"domain\":\"Example.org\"}\n{\"domain\":\"example.ORG\"}\n{\"domain\":\"example.org.\"}\n",
                {.by_domain = true});
  CHECK(read.jobs.size() == 1);
  CHECK(read.counters.lines_duplicate == 2);
}

TEST_CASE("one call looks through so many lines without a job, or so much of an endless one, and no more") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const FileDescriptor in(ends[0]), out(ends[1]);
  JobReader reader("/dev/fd/" + std::to_string(in.get()), {}, [](std::uint64_t, const std::string&) {});
  Job job;
  const auto fill = [&](char octet) {
    const std::string text(1 << 16, octet);
    while (::write(out.get(), text.data(), text.size()) > 0)
      ;
    const std::string lines = "x\n";
    while (octet == '\n' && ::write(out.get(), lines.data(), lines.size()) > 0)
      ;
  };
  std::string bad;
  for (unsigned i = 0; i < 2 * JobReader::max_lines; ++i)
    bad += "x\n";
  REQUIRE(::write(out.get(), bad.data(), bad.size()) == static_cast<ssize_t>(bad.size()));
  CHECK(reader.next(job) == JobReader::Next::more);
  CHECK(reader.counters().lines_bad == JobReader::max_lines);
  CHECK(reader.next(job) == JobReader::Next::more);
  CHECK(reader.next(job) == JobReader::Next::wait);
  auto next = JobReader::Next::wait;
  for (unsigned i = 0; i < 2 * JobReader::max_lines && next == JobReader::Next::wait; ++i) {
    fill('x'); // a line that never ends
    next = reader.next(job);
  }
  CHECK(next == JobReader::Next::wait); // each time it reads what is there and comes back
}

TEST_CASE("lines of CSV that are none are named") {
  CHECK(why_bad("192.0.2.1", csv).find("1 columns") != std::string::npos);
  CHECK(why_bad("192.0.2.1,80,a,1,2", csv).find("5 columns") != std::string::npos);
  CHECK(why_bad("dip,dp,domain", csv) == "1: dip is no address: 'dip'");
  CHECK(why_bad("192.0.2.1,http,a", csv) == "1: dp is no port from 1 to 65535: 'http'");
  CHECK(why_bad("7,example.org", csv) == "1: it has no dip");
  CHECK(why_bad("192.0.2.1,80,\"a", csv) == "1: a quoted field does not end on its line");
  CHECK(why_bad("192.0.2.1,80,a\"b\"", csv) == "1: a quote stands within a field");
  CHECK(why_bad("192.0.2.1,80,\"a\"b", csv) == "1: text stands behind a quoted field");
  CHECK(why_bad("192.0.2.1,80,\xff", csv) == "1: it is not UTF-8");
  CHECK(why_bad(std::string("192.0.2.1\0x,80,a", 16), csv).starts_with("1: dip is no address"));
  CHECK(why_bad(std::string("192.0.2.1,80,a\0b", 16), csv).starts_with("1: domain is no name of a host"));
}

TEST_CASE("a line that is too long is no job, costs no memory, and the next one is read") {
  for (const std::size_t octets : {LineReader::max_line_octets + 1, std::size_t{3'000'000}}) {
    const auto read = read_jobs("{\"dip\":\"192.0.2.1\"}\n" + std::string(octets, 'x') + "\n{\"dip\":\"192.0.2.2\"}\n");
    CHECK(read.jobs.size() == 2);
    CHECK(read.jobs.back().line == 3);
    REQUIRE(read.bad.size() == 1);
    CHECK(read.bad.front() == "2: it is longer than 131072 octets");
    CHECK(read.position == read.size);
  }
  const std::string most = R"({"dip":"192.0.2.1","x":")" + std::string(LineReader::max_line_octets - 26, 'x') + "\"}";
  REQUIRE(most.size() == LineReader::max_line_octets);
  CHECK(read_jobs(most + "\n{\"dip\":\"192.0.2.2\"}").jobs.size() == 2);
  CHECK(read_jobs(std::string(3'000'000, 'x')).bad.size() == 1);
}

TEST_CASE("the last line needs no end, and an empty input has no jobs") {
  CHECK(read_jobs("{\"dip\":\"192.0.2.1\"}\n{\"dip\":\"192.0.2.2\"}").jobs.size() == 2);
  CHECK(read_jobs("").jobs.empty());
  CHECK(read_jobs("\n\n").counters.lines_read == 0);
}

TEST_CASE("a pipe that has nothing yet is waited for, also in the middle of a line") {
  std::array<int, 2> ends{};
  REQUIRE(pipe2(ends.data(), O_CLOEXEC) == 0);
  const FileDescriptor in(ends[0]);
  FileDescriptor out(ends[1]);
  JobReader reader("/dev/fd/" + std::to_string(in.get()), {}, [](std::uint64_t, const std::string&) {});
  const auto give = [&](const std::string& text) {
    REQUIRE(::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  };
  Job job;
  CHECK(reader.next(job) == JobReader::Next::wait);
  give("{\"dip\":\"192");
  CHECK(reader.next(job) == JobReader::Next::wait);
  give(".0.2.1\"}\n{\"dip\":\"192.0.2.2\"}");
  CHECK(reader.next(job) == JobReader::Next::job);
  CHECK(address_text(job.destination) == "192.0.2.1");
  CHECK(reader.next(job) == JobReader::Next::wait);
  out.reset();
  CHECK(reader.next(job) == JobReader::Next::job);
  CHECK(reader.next(job) == JobReader::Next::end);
  CHECK(reader.next(job) == JobReader::Next::end);
  CHECK(reader.size_octets() == 0);
}

TEST_CASE("little is read ahead") {
  const Scratch scratch;
  std::string text;
  for (int i = 0; i < 100'000; ++i)
    text += R"({"dip":"10.)" + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) + "." +
            std::to_string(i % 256) + "\"}\n";
  write_file(scratch.path("jobs"), text);
  JobReader reader(scratch.path("jobs"), {}, [](std::uint64_t, const std::string&) {});
  Job job;
  REQUIRE(reader.next(job) == JobReader::Next::job);
  CHECK(lseek(reader.descriptor(), 0, SEEK_CUR) <= static_cast<off_t>(LineReader::read_octets));
  std::size_t jobs = 1;
  while (reader.next(job) == JobReader::Next::job)
    ++jobs;
  CHECK(jobs == 100'000);
}

TEST_CASE("an input that cannot be read is refused by name") {
  const Scratch scratch;
  const auto open = [](const std::string& path) { JobReader(path, {}, [](std::uint64_t, const std::string&) {}); };
  CHECK_THROWS_WITH_AS(open(scratch.path("none")), doctest::Contains("none: No such file"), UsageError);
  CHECK_THROWS_WITH_AS(open(scratch.path()), doctest::Contains("it is a folder"), UsageError);
}

TEST_CASE("a million targets are told apart, in at most 21 octets each") {
  TargetSet targets;
  const auto text = [](std::uint32_t i) { return std::string(reinterpret_cast<const char*>(&i), sizeof i); };
  for (std::uint32_t i = 0; i < 1'000'000; ++i)
    REQUIRE(targets.insert(text(i)));
  for (std::uint32_t i = 0; i < 1'000'000; i += 997)
    CHECK_FALSE(targets.insert(text(i)));
  CHECK(targets.size() == 1'000'000);
  CHECK(targets.memory_bytes() <= 21'400'000);
}

TEST_CASE("targets take no more memory than they may, and those that find no room are counted and passed on") {
  TargetSet targets(100'000);
  const auto text = [](std::uint32_t i) { return std::string(reinterpret_cast<const char*>(&i), sizeof i); };
  for (std::uint32_t round = 0; round < 2; ++round)
    for (std::uint32_t i = 0; i < 50'000; ++i)
      CHECK(targets.insert(text(i)) == (round == 0 || i >= targets.size()));
  CHECK(targets.size() == 6144); // three quarters of 65,536 octets: twice that, with these, would be too much
  CHECK(targets.forgotten() == 2 * (50'000 - 6144));
  CHECK(targets.memory_bytes() <= 100'000);
}

TEST_CASE("a reader says from which line on it remembers no targets, and goes on") {
  const Scratch scratch;
  std::string lines;
  for (int i = 0; i < 2000; ++i)
    lines += R"({"dip":"192.0.)" + std::to_string(2 + i / 250) + "." + std::to_string(i % 250) + "\"}\n";
  write_file(scratch.path("jobs"), lines + lines);
  std::vector<std::pair<std::uint64_t, std::string>> said;
  JobReader reader(scratch.path("jobs"), {.target_octets = 0},
                   [&](std::uint64_t line, const std::string& why) { said.emplace_back(line, why); });
  Job job;
  for (auto next = reader.next(job); next != JobReader::Next::end;)
    next = reader.next(job);
  REQUIRE(said.size() == 1);
  CHECK(said[0].first == 769);
  CHECK(said[0].second.starts_with("there is no memory to remember more than 768 targets: "));
  CHECK(reader.counters().jobs == 4000 - 768);
  CHECK(reader.counters().lines_duplicate == 768);
  CHECK(reader.counters().targets_forgotten == 4000 - 2 * 768);
}
