// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/output.hpp"

#include "common/error.hpp"
#include "tests/unit/common/scratch.hpp"

#include <csignal>
#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace orbweaver;
using orbweaver::test::read_file;
using orbweaver::test::Scratch;
using orbweaver::test::write_file;

namespace {

void write_line(Output& output, std::string_view line) {
  char* place = output.claim(line.size());
  std::memcpy(place, line.data(), line.size());
  output.commit(place + line.size());
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a file appears under its name when it is complete, and not before") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  Output output(path);
  CHECK_FALSE(output.is_read_live());
  write_line(output, "{}\n");
  CHECK(output.flush());
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(scratch.files() == 1);
  write_line(output, "{\"a\":1}\n");
  REQUIRE(output.finish());
  CHECK(read_file(path) == "{}\n{\"a\":1}\n");
  CHECK(scratch.files() == 1);
  CHECK(output.lines_written() == 2);
  CHECK(output.octets_written() == 11);
  CHECK(output.failure().empty());
}

TEST_CASE("a file that was there stays as it was until the new one is complete") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  write_file(path, "before");
  {
    Output abandoned(path);
    write_line(abandoned, "{}\n");
    CHECK(abandoned.flush());
    CHECK(read_file(path) == "before");
  }
  CHECK(read_file(path) == "before");
  CHECK(scratch.files() == 1);
  Output output(path);
  write_line(output, "{}\n");
  CHECK(output.finish());
  CHECK(read_file(path) == "{}\n");
}

TEST_CASE("a file that is replaced keeps its mode") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  write_file(path, "before");
  for (const mode_t mode : {0600, 0640}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    Output output(path);
    write_line(output, "{}\n");
    REQUIRE(output.finish());
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == mode);
  }
}

TEST_CASE("a symbolic link stays one, and its target is replaced") {
  const Scratch scratch;
  write_file(scratch.path("target"), "before");
  std::filesystem::create_symlink("target", scratch.path("link"));
  Output output(scratch.path("link"));
  write_line(output, "{}\n");
  CHECK(output.finish());
  CHECK(std::filesystem::is_symlink(scratch.path("link")));
  CHECK(read_file(scratch.path("target")) == "{}\n");
}

TEST_CASE("many lines larger than the buffer are written in order") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  Output output(path);
  std::string expected;
  for (int i = 0; i < 50'000; ++i) {
    const auto line = "{\"n\":" + std::to_string(i) + "}\n";
    write_line(output, line);
    expected += line;
  }
  REQUIRE(expected.size() > 2 * Output::buffer_bytes);
  REQUIRE(output.finish());
  CHECK((read_file(path) == expected));
  CHECK(output.lines_written() == 50'000);
}

TEST_CASE("a line as large as the buffer fits") {
  const Scratch scratch;
  Output output(scratch.path("flows.ndjson"));
  const auto line = std::string(Output::buffer_bytes - 1, 'x') + "\n";
  write_line(output, "{}\n");
  write_line(output, line);
  REQUIRE(output.finish());
  CHECK((read_file(scratch.path("flows.ndjson")) == "{}\n" + line));
}

TEST_CASE("a full device is named with its cause and the count, and is not removed") {
  Output output("/dev/full");
  write_line(output, "{}\n");
  CHECK_FALSE(output.flush());
  CHECK(output.failed());
  write_line(output, "{}\n"); // there is room after a failure too
  CHECK_FALSE(output.finish());
  CHECK(output.lines_written() == 0);
  CHECK(output.failure() == "cannot write /dev/full: No space left on device; 0 flows written");
  CHECK(std::filesystem::exists("/dev/full"));
}

TEST_CASE("a file that cannot grow any more counts the whole lines written, and leaves nothing behind") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit limited = before;
  limited.rlim_cur = 1005; // 100 lines of 10 octets, and a half
  setrlimit(RLIMIT_FSIZE, &limited);
  Output output(path);
  for (int i = 0; i < 200; ++i)
    write_line(output, "{\"a\":123}\n");
  const bool finished = output.finish();
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK_FALSE(finished);
  CHECK(output.lines_written() == 100);
  CHECK(output.octets_written() == 1000);
  CHECK(contains(output.failure(), path + ": File too large; 100 flows written"));
  CHECK(contains(output.failure(), "removed"));
  CHECK(scratch.files() == 0);
}

TEST_CASE("a pipe whose reader has gone is a failure with the count of what it took") {
  signal(SIGPIPE, SIG_IGN);
  const Scratch scratch;
  const auto path = scratch.path("fifo");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  const int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  Output output(path);
  CHECK(output.is_read_live());
  write_line(output, "{}\n");
  CHECK(output.flush());
  char text[16];
  CHECK(read(reader, text, sizeof text) == 3);
  close(reader);
  write_line(output, "{}\n");
  CHECK_FALSE(output.flush());
  CHECK(output.lines_written() == 1);
  CHECK(contains(output.failure(), path + ": Broken pipe; 1 flows written"));
}

TEST_CASE("what cannot be opened is an error that names it") {
  const Scratch scratch;
  CHECK_THROWS_WITH_AS(Output{scratch.path()}, ("cannot write " + scratch.path() + ": Is a directory").c_str(), Error);
  const auto missing = scratch.path("missing/flows.ndjson");
  CHECK_THROWS_WITH_AS(Output{missing}, ("cannot write " + missing + ": No such file or directory").c_str(), Error);
  CHECK(scratch.files() == 0);
}

TEST_CASE("a file that cannot get its name is a failure, and leaves nothing behind") {
  const Scratch scratch;
  const auto path = scratch.path("flows.ndjson");
  Output output(path);
  write_line(output, "{}\n");
  std::filesystem::create_directories(path + "/in the way");
  CHECK_FALSE(output.finish());
  CHECK(contains(output.failure(), "cannot write " + path));
  CHECK(scratch.files() == 1); // the directory
}
