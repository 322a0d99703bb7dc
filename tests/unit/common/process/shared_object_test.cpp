// SPDX-License-Identifier: GPL-3.0-or-later
// Which folders and objects are believed to be code. Objects that load are in tests/e2e/shared_objects.py.
#include "common/process/shared_object.hpp"

#include "tests/unit/common/scratch.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

namespace fs = std::filesystem;

/// Of an interface; no object is to be loaded at all.
constexpr std::uint32_t version = 1;

/// What is said where objects are looked for in that folder; there are none that load.
std::string said_of(const std::string& folder) {
  std::ostringstream said;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_st>(said)));
  setenv("ORBWEAVER_PLUGIN_PATH", folder.c_str(), 1);
  for (const FoundTable& table : find_shared_tables("orbweaver_chains", version))
    CHECK_FALSE(table.origin.starts_with(folder));
  unsetenv("ORBWEAVER_PLUGIN_PATH");
  spdlog::set_default_logger(before);
  return said.str();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a folder that others may write, or that somebody else owns, is named and nothing in it is looked at") {
  const Scratch scratch;
  write_file(scratch.path("x.so"), "no object");
  CHECK(contains(said_of(scratch.path()), "left out, it cannot be loaded: " + scratch.path("x.so")));
  for (const unsigned mode : {0777U, 0770U, 01777U}) {
    fs::permissions(scratch.path(), fs::perms{mode});
    const std::string said = said_of(scratch.path());
    CHECK(contains(said, "no plugins are loaded from " + scratch.path()));
    CHECK(contains(said, "chmod go-w"));
    CHECK_FALSE(contains(said, "x.so"));
  }
  fs::permissions(scratch.path(), fs::perms{0755});
  if (geteuid() == 0) {
    REQUIRE(chown(scratch.path().c_str(), 65534, 65534) == 0);
    CHECK(contains(said_of(scratch.path()), "it belongs to user 65534 (mode 0755)"));
  }
}

TEST_CASE("an object that others may write, or that is no file of its own, is named and left out unread") {
  const Scratch scratch;
  write_file(scratch.path("a.so"), "no object");
  fs::permissions(scratch.path("a.so"), fs::perms{0666});
  fs::create_symlink("a.so", scratch.path("b.so"));
  REQUIRE(mkfifo(scratch.path("c.so").c_str(), 0600) == 0);
  std::string said = said_of(scratch.path());
  CHECK(contains(said, "left out: " + scratch.path("a.so") + " has mode 0666"));
  CHECK(contains(said, "left out: " + scratch.path("b.so") + " is a symbolic link"));
  CHECK(contains(said, "left out: " + scratch.path("c.so") + " is no regular file"));
  CHECK_FALSE(contains(said, "loaded"));
  if (geteuid() == 0) {
    fs::permissions(scratch.path("a.so"), fs::perms{0644});
    REQUIRE(chown(scratch.path("a.so").c_str(), 65534, 65534) == 0);
    CHECK(contains(said_of(scratch.path()), scratch.path("a.so") + " belongs to user 65534"));
  }
}

TEST_CASE("a folder that is not there is no word worth") {
  const Scratch scratch;
  CHECK_FALSE(contains(said_of(scratch.path("none")), scratch.path("none")));
}
