// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/state_journal.hpp"

#include "common/error.hpp"
#include "common/file_text.hpp"
#include "common/stream/shared_memory.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::string_view state_suffix = ".state";
constexpr const char* shm_directory = "/dev/shm/";

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

StateJournal::Entries parse(const std::string& text) {
  StateJournal::Entries entries;
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

} // namespace

std::string StateJournal::path_of(const std::string& session) {
  return shm_directory + std::string(segment_prefix) + session + std::string(state_suffix);
}

StateJournal StateJournal::make(const std::string& session) {
  const std::string path = path_of(session);
  for (;;) {
    FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600));
    if (file.get() < 0)
      throw Error("cannot make " + path + ": " + errno_text() +
                  (errno == EEXIST ? "; it says what another network namespace, or one that could not be restored, "
                                     "is to be put back to: use another session name"
                                   : ""));
    // Another start may have taken the empty file for one that a killed session left.
    if (lock(file.get(), patience_ms) && still_there(file.get()))
      return {session, std::move(file), false};
  }
}

StateJournal StateJournal::take(const std::string& session, int patience_ms) {
  FileDescriptor file(open(path_of(session).c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0)
    return {session, FileDescriptor(), false};
  if (!lock(file.get(), patience_ms))
    return {session, FileDescriptor(), true};
  // It may have been removed meanwhile by who held it.
  return {session, still_there(file.get()) ? std::move(file) : FileDescriptor(), false};
}

std::vector<std::string> StateJournal::sessions() {
  std::vector<std::string> sessions;
  for (const auto& name : Segment::list(segment_prefix))
    if (name.ends_with(state_suffix))
      sessions.push_back(name.substr(segment_prefix.size(), name.size() - segment_prefix.size() - state_suffix.size()));
  return sessions;
}

std::optional<NetNamespace> StateJournal::namespace_of(const std::string& session) {
  const FileDescriptor file(open(path_of(session).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() < 0 ? std::nullopt : parse(read_all(file.get())).space;
}

void StateJournal::add_namespace(const NetNamespace& space) const {
  add("namespace " + std::to_string(space.inode) + " " + std::to_string(space.cookie));
}

void StateJournal::add_sysctl(const std::string& name, const std::string& before) const {
  add("sysctl " + name + " " + before);
}

void StateJournal::add_nftables() const {
  add("nftables");
}

void StateJournal::add(const std::string& line) const {
  if (!write_all(file_.get(), line + "\n"))
    throw Error("cannot write " + path_of(session_) + ": " + errno_text() + "; nothing was changed");
}

StateJournal::Entries StateJournal::entries() const {
  return parse(read_all(file_.get()));
}

void StateJournal::remove() const {
  unlink(path_of(session_).c_str());
}

} // namespace orbweaver
