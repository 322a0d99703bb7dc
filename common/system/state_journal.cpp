// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/state_journal.hpp"

#include "common/error.hpp"
#include "common/file_text.hpp"
#include "common/printable.hpp"
#include "common/process/session_name.hpp"
#include "common/system/sysctl_list.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sstream>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

namespace {

constexpr std::string_view state_suffix = ".state";

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

/// The first of several that were refused, and how many more there were.
class Refused {
public:
  void add(const std::string& what) {
    if (count_++ == 0)
      first_ = printable(what);
  }
  [[nodiscard]] std::string text() const {
    return count_ < 2 ? first_ : first_ + " (and " + std::to_string(count_ - 1) + " more)";
  }

private:
  std::string first_;
  std::size_t count_ = 0;
};

/// Adds what a line says; false where no session writes such a line. The namespace comes first.
bool add_line(const std::string& line, StateJournal::Entries& entries) {
  std::istringstream text(line);
  std::vector<std::string> words;
  for (std::string word; text >> word;)
    words.push_back(word);
  const auto is = [&](std::string_view kind, std::size_t count) { return words.size() == count && words[0] == kind; };
  if (NetNamespace space; is("namespace", 3) && !entries.space) {
    std::istringstream numbers(line.substr(words[0].size()));
    if (!(numbers >> space.inode >> space.cookie))
      return false;
    entries.space = space;
  } else if (is("sysctl", 3) && entries.space && sysctl_refusal(words[1], words[2]).empty()) {
    entries.sysctls.emplace_back(words[1], words[2]);
  } else {
    return false;
  }
  return true;
}

StateJournal::Entries parse(const std::string& text) {
  StateJournal::Entries entries;
  Refused refused;
  std::istringstream lines(text);
  std::string line;
  // A last line without its end was cut off before its change was made.
  while (std::getline(lines, line) && !lines.eof())
    if (!add_line(line, entries))
      refused.add("'" + line + "'");
  entries.refused = refused.text();
  return entries;
}

/// That of a session, where it is believed, and the folder that it lies in.
FileDescriptor open_journal(const std::string& session, int flags, StateFolder& folder) {
  std::vector<std::string> refused;
  if (!session_name_fits(session))
    return FileDescriptor();
  for (auto& place : state_folders(refused)) {
    std::string why;
    if (auto file = open_trusted(place.folder.get(), session + std::string(state_suffix), flags, own_file, why)) {
      folder = std::move(place);
      return file;
    }
  }
  return FileDescriptor();
}

} // namespace

StateJournal StateJournal::make(const std::string& session) {
  if (!session_name_fits(session))
    throw Error("a session cannot have the name '" + printable(session) + "'");
  StateFolder folder = make_state_folder();
  const std::string name = session + std::string(state_suffix);
  for (;;) {
    FileDescriptor file(
        openat(folder.folder.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) {
      const int error = errno;
      std::string why;
      if (error == EEXIST && open_trusted(folder.folder.get(), name, O_RDONLY, own_file, why))
        why = "it says what another network namespace, or one that could not be restored, is to be put back to";
      throw Error("cannot make " + folder.path + "/" + name + ": " + errno_text(error) +
                  (error == EEXIST ? "; " + (why.empty() ? why : "it " + why) + "; use another session name" : ""));
    }
    // Another start may have taken the empty file for one that a killed session left.
    if (lock(file.get(), patience_ms) && still_there(file.get()))
      return {session, std::move(folder), std::move(file), false};
  }
}

StateJournal StateJournal::take(const std::string& session, int patience_ms) {
  StateFolder folder;
  FileDescriptor file = open_journal(session, O_RDWR, folder);
  if (!file)
    return {session, std::move(folder), FileDescriptor(), false};
  if (!lock(file.get(), patience_ms))
    return {session, std::move(folder), FileDescriptor(), true};
  // It may have been removed meanwhile by who held it.
  const bool there = still_there(file.get());
  return {session, std::move(folder), there ? std::move(file) : FileDescriptor(), false};
}

StateJournal::List StateJournal::list() {
  List list;
  Refused refused;
  std::vector<std::string> folders_refused;
  const auto folders = state_folders(folders_refused);
  for (const auto& why : folders_refused)
    refused.add(why);
  for (const auto& folder : folders) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path, none)) {
      const std::string file = entry.path().filename();
      if (!file.ends_with(state_suffix))
        continue;
      const auto session = file.substr(0, file.size() - state_suffix.size());
      struct stat status {};
      if (!session_name_fits(session))
        refused.add(entry.path().string() + " has no session's name");
      else if (fstatat(folder.folder.get(), file.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        continue; // its session has just ended
      else if (const auto why = why_not_trusted(status, own_file); !why.empty())
        refused.add(entry.path().string() + " " + why);
      else
        list.sessions.push_back(session);
    }
  }
  std::sort(list.sessions.begin(), list.sessions.end());
  list.refused = refused.text();
  return list;
}

std::optional<NetNamespace> StateJournal::namespace_of(const std::string& session) {
  StateFolder folder;
  const FileDescriptor file = open_journal(session, O_RDONLY, folder);
  return file ? parse(read_all(file.get())).space : std::nullopt;
}

void StateJournal::add_namespace(const NetNamespace& space) const {
  add("namespace " + std::to_string(space.inode) + " " + std::to_string(space.cookie));
}

void StateJournal::add_sysctl(const std::string& name, const std::string& before) const {
  add("sysctl " + name + " " + before);
}

void StateJournal::add(const std::string& line) const {
  if (!write_all(file_.get(), line + "\n"))
    throw Error("cannot write " + path() + ": " + errno_text() + "; nothing was changed");
}

StateJournal::Entries StateJournal::entries() const {
  return parse(read_all(file_.get()));
}

void StateJournal::remove() const {
  unlinkat(folder_.folder.get(), (session_ + std::string(state_suffix)).c_str(), 0);
}

} // namespace orbweaver
