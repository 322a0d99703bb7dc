// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/trusted_file.hpp"

#include "common/file_text.hpp"
#include "tests/unit/common/scratch.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

constexpr uid_t somebody = 65534;

struct stat status_of(mode_t mode, uid_t owner) {
  struct stat status {};
  status.st_mode = mode;
  status.st_uid = owner;
  return status;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Why a file of that name is not opened as one of ours.
std::string refusal(const std::string& path) {
  std::string why;
  CHECK_FALSE(open_trusted(AT_FDCWD, path, O_RDWR, own_file, why));
  return why;
}

} // namespace

TEST_CASE("a file is ours where we own it and its mode gives others nothing") {
  const uid_t us = geteuid();
  CHECK(is_trusted(status_of(S_IFREG | 0600, us), own_file));
  CHECK(is_trusted(status_of(S_IFREG | 0400, us), own_file));
  for (const mode_t bit : {0040U, 0020U, 0010U, 0004U, 0002U, 0001U}) {
    CHECK_FALSE(is_trusted(status_of(S_IFREG | 0600 | bit, us), own_file));
    CHECK(contains(why_not_trusted(status_of(S_IFREG | 0600 | bit, us), own_file), "chmod go-rwx"));
  }
  CHECK_FALSE(is_trusted(status_of(S_IFREG | 0600, somebody), own_file));
  CHECK(contains(why_not_trusted(status_of(S_IFREG | 0600, somebody), own_file), "belongs to user 65534 (mode 0600)"));
  for (const mode_t type : {S_IFDIR, S_IFIFO, S_IFLNK, S_IFSOCK, S_IFCHR, S_IFBLK})
    CHECK_FALSE(is_trusted(status_of(type | 0600, us), own_file));
}

TEST_CASE("code is believed where nobody but root and we can have written it") {
  for (const uid_t owner : {uid_t{0}, geteuid()}) {
    CHECK(is_trusted(status_of(S_IFREG | 0755, owner), code_file));
    CHECK(is_trusted(status_of(S_IFDIR | 0755, owner), code_folder));
    CHECK_FALSE(is_trusted(status_of(S_IFREG | 0775, owner), code_file));
    CHECK_FALSE(is_trusted(status_of(S_IFDIR | S_ISVTX | 0777, owner), code_folder));
  }
  CHECK_FALSE(is_trusted(status_of(S_IFREG | 0755, somebody), code_file));
  CHECK_FALSE(is_trusted(status_of(S_IFDIR | 0755, somebody), code_folder));
  CHECK(contains(why_not_trusted(status_of(S_IFDIR | 0777, geteuid()), code_folder), "has mode 0777"));
  CHECK(contains(why_not_trusted(status_of(S_IFDIR | 0777, geteuid()), code_folder), "chmod go-w"));
}

TEST_CASE("what is no file of ours is not opened, and says why; a FIFO is not waited for") {
  const Scratch scratch;
  std::string why = "before";
  write_own_file(scratch.path("own"), "text");
  CHECK(read_all(open_trusted(AT_FDCWD, scratch.path("own"), O_RDONLY, own_file, why).get()) == "text");
  CHECK(why.empty());
  CHECK(refusal(scratch.path("none")).empty());
  write_file(scratch.path("open"), {});
  std::filesystem::permissions(scratch.path("open"), std::filesystem::perms{0666});
  CHECK(contains(refusal(scratch.path("open")), "has mode 0666"));
  std::filesystem::create_symlink(scratch.path("own"), scratch.path("link"));
  CHECK(contains(refusal(scratch.path("link")), "is a symbolic link"));
  std::filesystem::create_directory(scratch.path("folder"));
  CHECK(contains(refusal(scratch.path("folder")), "is no regular file"));
  REQUIRE(mkfifo(scratch.path("fifo").c_str(), 0600) == 0);
  CHECK(contains(refusal(scratch.path("fifo")), "is no regular file"));
  CHECK_FALSE(open_trusted(AT_FDCWD, scratch.path("fifo"), O_RDONLY, own_file, why));
  if (geteuid() == 0) {
    REQUIRE(chown(scratch.path("own").c_str(), somebody, somebody) == 0);
    CHECK(contains(refusal(scratch.path("own")), "belongs to user 65534"));
  }
}
