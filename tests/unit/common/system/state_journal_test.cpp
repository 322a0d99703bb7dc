// SPDX-License-Identifier: GPL-3.0-or-later
// Which journals are believed, and what of them.
#include "common/system/state_journal.hpp"

#include "common/error.hpp"
#include "common/process/session_name.hpp"
#include "common/system/sysctl_list.hpp"
#include "tests/unit/common/scratch.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

namespace fs = std::filesystem;

std::string session_name(const std::string& test) {
  return "unit-" + std::to_string(getpid()) + "-" + test;
}

/// Where the journal of a session lies, be it there or not.
std::string path_of(const std::string& session) {
  return make_state_folder().path + "/" + session + ".state";
}

bool is_listed(const std::string& session) {
  const auto sessions = StateJournal::list().sessions;
  return std::find(sessions.begin(), sessions.end(), session) != sessions.end();
}

/// What is read of a journal of ours that holds that text.
StateJournal::Entries entries_of(const std::string& text) {
  const std::string session = session_name("entries");
  write_own_file(path_of(session), text);
  const auto journal = StateJournal::take(session, 0);
  REQUIRE(journal);
  auto entries = journal.entries();
  journal.remove();
  return entries;
}

} // namespace

TEST_CASE("a session's name has letters, digits, dashes and underscores, at most 48") {
  for (const char* const good : {"a", "Session-1_x", "0123456789012345678901234567890123456789-1234567"})
    CHECK(session_name_fits(good));
  for (const std::string& bad : {std::string(), std::string("a.b"), std::string("a b"), std::string("a\nb"),
                                 std::string("a/b"), std::string("a;b"), std::string("\xC3\xA4"), std::string(49, 'a')})
    CHECK_FALSE(session_name_fits(bad));
}

TEST_CASE("a journal that a session made is listed, taken, and says what was written") {
  const std::string session = session_name("own");
  {
    const auto made = StateJournal::make(session);
    made.add_namespace({7, 9});
    made.add_sysctl("net.ipv4.tcp_ecn", "2");
    CHECK(StateJournal::take(session, 0).held_by_other());
  }
  CHECK(is_listed(session));
  CHECK(StateJournal::namespace_of(session) == NetNamespace{7, 9});
  const auto journal = StateJournal::take(session, 0);
  REQUIRE(journal);
  const auto entries = journal.entries();
  CHECK(entries.space == NetNamespace{7, 9});
  REQUIRE(entries.sysctls.size() == 1);
  CHECK(entries.sysctls[0] == std::pair<std::string, std::string>("net.ipv4.tcp_ecn", "2"));
  CHECK(entries.refused.empty());
  journal.remove();
  CHECK_FALSE(is_listed(session));
}

TEST_CASE("what is no file of ours is no journal: it is named, not taken, not waited for, and stays") {
  const std::string session = session_name("planted"), path = path_of(session);
  const auto is_refused = [&](const std::string& why) {
    CAPTURE(why);
    CHECK_FALSE(is_listed(session));
    CHECK_FALSE(StateJournal::list().refused.empty()); // of this one, or of what another test has there meanwhile
    const auto journal = StateJournal::take(session, 0);
    CHECK_FALSE(journal);
    CHECK_FALSE(journal.held_by_other());
    CHECK(StateJournal::namespace_of(session) == std::nullopt);
    CHECK_THROWS_WITH_AS(static_cast<void>(StateJournal::make(session)), doctest::Contains(why.c_str()), Error);
    CHECK(fs::exists(fs::symlink_status(path)));
    fs::remove(path);
  };
  write_file(path, "namespace 1 1\n");
  fs::permissions(path, fs::perms{0666});
  is_refused("has mode 0666");
  fs::create_directory(path);
  is_refused("is no regular file");
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  is_refused("is no regular file");
  fs::create_symlink("/etc/hostname", path);
  is_refused("is a symbolic link");
  if (geteuid() == 0) {
    write_own_file(path, "namespace 1 1\n");
    REQUIRE(chown(path.c_str(), 65534, 65534) == 0);
    is_refused("belongs to user 65534");
  }
}

TEST_CASE("files whose names hold no session's are passed over in one go, one named without line ends") {
  const std::string folder = make_state_folder().path + "/", name = "a\nb; planted";
  for (int i = 0; i < 3; ++i)
    write_own_file(folder + name + std::to_string(i) + ".state", "namespace 1 1\n");
  write_own_file(folder + ".state", {});
  const auto list = StateJournal::list();
  CHECK(std::all_of(list.sessions.begin(), list.sessions.end(), session_name_fits));
  CHECK(list.refused.find(" more)") != std::string::npos);
  CHECK(list.refused.find('\n') == std::string::npos);
  CHECK_FALSE(StateJournal::take(name + "0", 0));
  CHECK_THROWS_AS(static_cast<void>(StateJournal::make("a\nb")), Error);
  for (int i = 0; i < 3; ++i)
    fs::remove(folder + name + std::to_string(i) + ".state");
  fs::remove(folder + ".state");
}

TEST_CASE("the folder of journals is the user's own, closed to others, and no link: else it is named and not used") {
  const Scratch scratch;
  const std::string runtime = scratch.path("runtime"), folder = runtime + "/orbweaver";
  fs::create_directory(runtime);
  const auto elsewhere = [&] { // as a user other than root would look: where XDG_RUNTIME_DIR says
    setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
    std::vector<std::string> refused;
    const auto folders = state_folders(refused);
    unsetenv("XDG_RUNTIME_DIR");
    const bool used = std::ranges::any_of(folders, [&](const auto& there) { return there.path == folder; });
    const auto why = std::ranges::find_if(refused, [&](const auto& text) { return text.starts_with(folder); });
    return used ? std::string("used") : why == refused.end() ? std::string() : *why;
  };
  CHECK(elsewhere().empty());
  fs::create_directory(folder);
  fs::permissions(folder, fs::perms{0755});
  CHECK(elsewhere().find("has mode 0755") != std::string::npos);
  fs::permissions(folder, fs::perms{0700});
  CHECK(elsewhere() == "used");
  fs::rename(folder, runtime + "/real");
  fs::create_directory_symlink(runtime + "/real", folder);
  CHECK(elsewhere().find("is a symbolic link") != std::string::npos);
}

TEST_CASE("of a journal's lines those are believed that a session writes, behind its namespace") {
  const std::string space = "namespace 1 2\n", good = "sysctl net.ipv4.tcp_sack 1\n";
  for (const std::string bad : {"sysctl kernel.core_pattern |/tmp/x", "sysctl net.ipv4.ip_forward 1",
                                "sysctl net.ipv4.tcp_ecn 256", "sysctl net.ipv4.tcp_ecn -1",
                                "sysctl net.ipv4.tcp_ecn 1x", "sysctl net.ipv4.tcp_ecn 1 2", "sysctl net.ipv4.tcp_ecn",
                                "sysctl", "sysctl net/ipv4/tcp_ecn 1", "nftables 1", "namespace 3 4", "reboot", ""}) {
    CAPTURE(bad);
    const auto entries = entries_of(space + bad + "\n" + good);
    CHECK(entries.space == NetNamespace{1, 2});
    const auto planted = [](const auto& entry) { return entry.first != "net.ipv4.tcp_sack"; };
    CHECK(std::none_of(entries.sysctls.begin(), entries.sysctls.end(), planted));
    CHECK(entries.sysctls.size() == 1);
    CHECK(entries.refused == "'" + bad + "'");
  }
  const auto headless = entries_of(good + "sysctl net.ipv4.tcp_ecn 1\n\x1B[2J\n");
  CHECK_FALSE(headless.space);
  CHECK(headless.sysctls.empty());
  CHECK(headless.refused == "'sysctl net.ipv4.tcp_sack 1' (and 2 more)");
}
