// SPDX-License-Identifier: GPL-3.0-or-later
// The journal is a text file in /dev/shm: its first line says which network namespace it is about, each further line
// what is to be put back, and is written before the change. Whoever changes or restores holds its lock (flock), which
// the kernel takes back from a killed process, and which a running nft program holds too: nothing is put back before
// the last change has been made.
#include "common/system_state.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/net_namespace.hpp"
#include "common/shared_memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <spdlog/spdlog.h>
#include <sstream>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::string_view state_suffix = ".state";
constexpr const char* shm_directory = "/dev/shm/";
/// How long a restorer waits for an nft program that a killed spider left running.
constexpr int lock_patience_ms = 5000;

std::string journal_path(const std::string& session) {
  return shm_directory + std::string(segment_prefix) + session + std::string(state_suffix);
}

std::string table_of(const std::string& session) {
  return "orbweaver-" + session;
}

std::string sysctl_path(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return "/proc/sys/" + name;
}

bool lock(int fd, int patience_ms) {
  for (; flock(fd, LOCK_EX | LOCK_NB) != 0; patience_ms -= 10) {
    if (patience_ms <= 0)
      return false;
    poll(nullptr, 0, 10);
  }
  return true;
}

/// Whether a file has its name still.
bool still_there(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && status.st_nlink > 0;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR)
      return false;
    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
  }
  return true;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (off_t at = 0;;) {
    const auto got = pread(fd, buffer.data(), buffer.size(), at);
    if (got <= 0)
      return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    at += got;
  }
}

/// A sysctl's value without its line end, or nothing: errno says why.
std::optional<std::string> read_sysctl(const std::string& name) {
  const FileDescriptor file(open(sysctl_path(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    return std::nullopt;
  std::string value = read_all(file.get());
  while (value.ends_with('\n'))
    value.pop_back();
  return value;
}

/// 0, or errno.
int write_sysctl(const std::string& name, const std::string& value) {
  const FileDescriptor file(open(sysctl_path(name).c_str(), O_WRONLY | O_CLOEXEC));
  return file.get() >= 0 && write(file.get(), value.data(), value.size()) >= 0 ? 0 : errno;
}

std::string sysctl_problem(const std::string& name, int error) {
  std::string text = "cannot set " + name + ": " + errno_text(error) + "; ";
  if (error == ENOENT)
    return text + "this kernel, or this network namespace, does not have it";
  if (error == EROFS)
    return text + "/proc/sys is mounted read-only: in a container, mount it writable (docker run --privileged)";
  if (error == EACCES || error == EPERM)
    return text + "changing it takes root, or CAP_NET_ADMIN in a network namespace of one's own";
  return text + "see " + sysctl_path(name);
}

/// Runs `nft` with that script; returns what it printed where it failed. It holds the lock of `journal` too.
std::optional<std::string> run_nft(std::vector<const char*> arguments, const std::string& script, int journal) {
  // A file, not a pipe: what is given is there as a whole, however this process ends.
  const FileDescriptor input(memfd_create("nft", MFD_CLOEXEC)), output(memfd_create("nft", MFD_CLOEXEC));
  if (input.get() < 0 || output.get() < 0 || !write_all(input.get(), script) || lseek(input.get(), 0, SEEK_SET) != 0)
    return "no memory for its input: " + errno_text();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.get(), STDERR_FILENO);
  if (journal >= 0)
    posix_spawn_file_actions_adddup2(&actions, journal, 3);
  // Not of this process group: a Ctrl-C that ends the spider in order must not end nft.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments.front(), &actions, &attributes,
                                 const_cast<char* const*>(arguments.data()), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    return errno_text(error);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return std::nullopt;
  std::string said = read_all(output.get());
  return said.substr(0, said.find('\n'));
}

/// A script that replaces a table by one of this body, in one transaction.
std::string nft_script(const std::string& table, const std::string& body) {
  std::string script = "add table inet " + table + "\ndelete table inet " + table + "\n";
  if (!body.empty())
    script += "table inet " + table + " {\n" + body + "\n}\n";
  return script;
}

/// What a journal says.
struct Entries {
  std::optional<NetNamespace> space; ///< none: killed before anything was changed
  std::vector<std::pair<std::string, std::string>> sysctls;
  bool nftables = false;
};

Entries parse(const std::string& text) {
  Entries entries;
  std::istringstream lines(text);
  std::string line;
  // A last line without its end was cut off before its change was made.
  while (std::getline(lines, line) && !lines.eof()) {
    std::istringstream words(line);
    std::string kind, name;
    words >> kind;
    if (kind == "namespace") {
      NetNamespace space;
      words >> space.inode >> space.cookie;
      entries.space = space;
    } else if (kind == "sysctl" && words >> name) {
      entries.sysctls.emplace_back(name, line.substr(kind.size() + name.size() + 2));
    } else if (kind == "nftables") {
      entries.nftables = true;
    }
  }
  return entries;
}

/// Puts back what they say, the last change first; adds a sentence for each thing to `done` or, where it failed, to
/// `failed`.
void put_back(const std::string& session, const Entries& entries, int journal, std::vector<std::string>& done,
              std::vector<std::string>& failed) {
  if (entries.nftables) {
    if (const auto problem = run_nft({"nft", "-f", "-"}, nft_script(table_of(session), {}), journal))
      failed.push_back("cannot remove the nftables table inet " + table_of(session) + ": " + *problem);
    else
      done.push_back("removed the nftables table inet " + table_of(session));
  }
  for (auto entry = entries.sysctls.rbegin(); entry != entries.sysctls.rend(); ++entry) {
    if (read_sysctl(entry->first) == entry->second)
      continue;
    if (const int error = write_sysctl(entry->first, entry->second))
      failed.push_back(sysctl_problem(entry->first, error) + "; it was " + entry->second);
    else
      done.push_back("set " + entry->first + " back to " + entry->second);
  }
}

std::vector<std::string> sessions_with_state() {
  std::vector<std::string> sessions;
  for (const auto& name : Segment::list(segment_prefix))
    if (name.ends_with(state_suffix))
      sessions.push_back(name.substr(segment_prefix.size(), name.size() - segment_prefix.size() - state_suffix.size()));
  return sessions;
}

/// The journal of a session, locked, or nothing where there is none or somebody holds it.
struct Locked {
  FileDescriptor file;
  bool held = false; ///< by somebody else
};

Locked lock_journal(const std::string& session, int patience_ms) {
  const std::string path = journal_path(session);
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0)
    return {FileDescriptor(), false};
  if (!lock(file.get(), patience_ms))
    return {FileDescriptor(), true};
  // It may have been removed meanwhile by who held it.
  return {still_there(file.get()) ? std::move(file) : FileDescriptor(), false};
}

void append(std::vector<std::string>& to, std::vector<std::string>&& more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

/// A new journal, locked.
FileDescriptor make_journal(const std::string& path) {
  for (;;) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (file.get() < 0)
      throw Error("cannot make " + path + ": " + errno_text() +
                  (errno == EEXIST ? "; it says what another network namespace, or one that could not be restored, "
                                     "is to be put back to: use another session name"
                                   : ""));
    // Another start may have taken the empty file for one that a killed session left.
    if (lock(file.get(), lock_patience_ms) && still_there(file.get()))
      return file;
  }
}

/// The namespace of a journal that another process holds.
std::optional<NetNamespace> namespace_of(const std::string& session) {
  const FileDescriptor file(open(journal_path(session).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() < 0 ? std::nullopt : parse(read_all(file.get())).space;
}

/// Restores by a journal that is locked, and removes it where all is well.
std::vector<std::string> restore_locked(const std::string& session, const FileDescriptor& file) {
  std::vector<std::string> done, failed;
  const Entries entries = parse(read_all(file.get()));
  if (entries.space && entries.space != NetNamespace::current()) {
    if (entries.space->exists())
      return {"session '" + session + "' changed the state of another network namespace (net:[" +
              std::to_string(entries.space->inode) + "]): start a measurement there, and it is put back"};
  } else {
    put_back(session, entries, file.get(), done, failed);
  }
  if (failed.empty())
    unlink(journal_path(session).c_str());
  append(done, std::move(failed));
  return done;
}

} // namespace

struct SystemState::Journal {
  std::string session;
  FileDescriptor file;
  std::map<std::string, std::string> values; ///< sysctls as they are now, of those in the journal
  std::string nftables;                      ///< the table as it is now
  bool has_table = false;                    ///< the journal says that there may be one
  bool open = true;

  void add(const std::string& line) const {
    if (!write_all(file.get(), line + "\n"))
      throw Error("cannot write " + journal_path(session) + ": " + errno_text() + "; nothing was changed");
  }
};

SystemState::SystemState(const std::string& session) {
  for (const std::string& said : restore_dead_system_states())
    spdlog::warn("{}", said);
  const std::string path = journal_path(session);
  journal_ = std::make_unique<Journal>(Journal{session, make_journal(path), {}, {}, false, true});
  try {
    const NetNamespace here = NetNamespace::current();
    journal_->add("namespace " + std::to_string(here.inode) + " " + std::to_string(here.cookie));
    // Two that start at once: each has written its namespace before it looks, so that one of them sees the other.
    for (const std::string& other : sessions_with_state())
      if (other != session && lock_journal(other, 0).held && namespace_of(other) == here)
        throw Error("session '" + other +
                    "' changes the state of this network namespace now, and two at once would measure each other: "
                    "wait until it has ended, or use a network namespace of its own");
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
}

SystemState::~SystemState() {
  restore();
}

void SystemState::set_sysctl(const std::string& name, const std::string& value) {
  auto known = journal_->values.find(name);
  if (known == journal_->values.end()) {
    const auto before = read_sysctl(name);
    if (!before)
      throw Error(sysctl_problem(name, errno));
    journal_->add("sysctl " + name + " " + *before);
    known = journal_->values.emplace(name, *before).first;
  }
  if (known->second == value)
    return;
  if (const int error = write_sysctl(name, value))
    throw Error(sysctl_problem(name, error));
  known->second = value;
}

void SystemState::set_nftables(const std::string& body) {
  if (body == journal_->nftables)
    return;
  if (!std::exchange(journal_->has_table, true))
    journal_->add("nftables");
  const std::string table = table_of(journal_->session);
  if (const auto problem = run_nft({"nft", "-f", "-"}, nft_script(table, body), journal_->file.get()))
    throw Error("cannot set the nftables table inet " + table + ": " + *problem);
  journal_->nftables = body;
}

void SystemState::check_rights(const std::vector<std::string>& sysctls, bool nftables) {
  for (const auto& name : sysctls) {
    const FileDescriptor file(open(sysctl_path(name).c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0)
      throw Error(sysctl_problem(name, errno));
  }
  if (!nftables)
    return;
  if (const auto problem = run_nft({"nft", "list", "tables"}, {}, -1))
    throw Error("cannot change nftables (" + *problem +
                "): it takes the program nft (package nftables), and root or CAP_NET_ADMIN");
}

std::vector<std::string> SystemState::restore() noexcept {
  std::vector<std::string> done, failed;
  if (!std::exchange(journal_->open, false))
    return failed;
  try {
    put_back(journal_->session, parse(read_all(journal_->file.get())), journal_->file.get(), done, failed);
    if (failed.empty())
      unlink(journal_path(journal_->session).c_str());
  } catch (const std::exception& error) {
    // The journal stays: the next start puts back what is left.
    failed.emplace_back(error.what());
  }
  return failed;
}

std::vector<std::string> restore_system_state(const std::string& session) {
  const Locked journal = lock_journal(session, lock_patience_ms);
  if (journal.held)
    return {"session '" + session + "' still changes the state of the system: a process of it holds " +
            journal_path(session)};
  return journal.file.get() < 0 ? std::vector<std::string>() : restore_locked(session, journal.file);
}

std::vector<std::string> restore_dead_system_states() {
  std::vector<std::string> said;
  for (const std::string& session : sessions_with_state())
    if (const Locked journal = lock_journal(session, 0); journal.file.get() >= 0)
      append(said, restore_locked(session, journal.file));
  return said;
}

} // namespace orbweaver
