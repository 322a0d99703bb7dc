// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/options.hpp"

#include "common/error.hpp"
#include "common/stream/records/packet_record.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <unistd.h>
#include <utility>

using namespace orbweaver;

namespace {

CaptureArguments parsed(std::vector<std::string> words) {
  CommandLine app{"", "test"};
  CaptureArguments arguments;
  add_arguments(app, arguments);
  app.parse(std::move(words));
  return arguments;
}

CaptureArguments with_outputs(std::vector<std::string> outputs) {
  CaptureArguments arguments;
  arguments.inputs = {"eth0"};
  arguments.outputs = std::move(outputs);
  return arguments;
}

} // namespace

TEST_CASE("capture's command line has the source, an output for each observer, and their chains") {
  const auto arguments = parsed({"-i", "x.pcap", "--out", "ring:a", "--out", "ring:b", "--count=010", "--snaplen", "96",
                                 "--reader=mapped", "--needs=tcp-options,icmp-quotation", "basic", "tcp"});
  CHECK(arguments.inputs == std::vector<std::string>{"x.pcap"});
  CHECK(arguments.source.snap_length == 96);
  CHECK(arguments.count == 10);
  CHECK(arguments.outputs == std::vector<std::string>{"ring:a", "ring:b"});
  CHECK(arguments.chains == std::vector<std::string>{"basic", "tcp"});
  CHECK(source_options(arguments).reader == SourceOptions::Reader::mapped);
  CHECK(needs_of(arguments) == (Need::tcp_options | Need::icmp_quotation));
}

TEST_CASE("capture refuses a command line without source or output, and values out of range") {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"-i", "x"},
                             {"--out", "ring:a"},
                             {"-i", "x", "--out", "ring:a", "--count=-1"},
                             {"-i", "x", "--out", "ring:a", "--snaplen=4294967296"},
                             {"-i", "x", "--out", "ring:a", "--packet-ring-mib=0"}})
    CHECK_THROWS_AS(parsed(words), CommandLineError);
}

TEST_CASE("a reader that there is not is named with those that there are") {
  CaptureArguments arguments;
  CHECK(source_options(arguments).reader == SourceOptions::Reader::automatic);
  arguments.reader = "libtrace";
  CHECK(source_options(arguments).reader == SourceOptions::Reader::libtrace);
  arguments.reader = "mine";
  CHECK_THROWS_WITH_AS(static_cast<void>(source_options(arguments)), "--reader mine: give auto, mapped or libtrace",
                       UsageError);
}

TEST_CASE("each observer has an output of its own, whatever it is called, and none is what is read") {
  CHECK(choose_outputs(with_outputs({"ring:a", "ring:b", "file:a"})).size() == 3);
  CHECK_THROWS_WITH_AS(static_cast<void>(choose_outputs(with_outputs({"ring:a", "ring:b", "ring:a"}))),
                       "--out ring:a was given twice; give each observer one of its own", UsageError);
  const test::Scratch scratch;
  test::write_file(scratch.path("x"), "");
  REQUIRE(symlink(scratch.path("x").c_str(), scratch.path("link").c_str()) == 0);
  CHECK_THROWS_WITH_AS(
      static_cast<void>(choose_outputs(with_outputs({"file:" + scratch.path("x"), "file:" + scratch.path("link")}))),
      doctest::Contains("was given twice"), UsageError);
  auto arguments = with_outputs({"file:" + scratch.path("link")});
  arguments.inputs = {scratch.path("x")};
  CHECK_THROWS_WITH_AS(static_cast<void>(choose_outputs(arguments)), doctest::Contains("is the input as well"),
                       UsageError);
}

TEST_CASE("more outputs than there can be observers are refused") {
  std::vector<std::string> outputs;
  for (unsigned i = 0; i <= max_observers; ++i)
    outputs.push_back("ring:" + std::to_string(i));
  CHECK_THROWS_WITH_AS(static_cast<void>(choose_outputs(with_outputs(outputs))),
                       doctest::Contains("observers can share a capture"), UsageError);
  outputs.pop_back();
  CHECK(choose_outputs(with_outputs(outputs)).size() == max_observers);
}
