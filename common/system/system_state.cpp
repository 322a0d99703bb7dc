// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/system/system_state.hpp"

#include "common/error.hpp"
#include "common/file_descriptor.hpp"
#include "common/file_text.hpp"
#include "common/system/net_namespace.hpp"
#include "common/system/state_journal.hpp"
#include "common/system/sysctl_list.hpp"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <set>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

std::string sysctl_path(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  return "/proc/sys/" + name;
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

/// Puts back what a journal says, the last change first; adds a sentence for each thing to `done` or, where it failed,
/// to `failed`.
void put_back(const StateJournal& journal, std::vector<std::string>& done, std::vector<std::string>& failed) {
  const StateJournal::Entries entries = journal.entries();
  for (auto entry = entries.sysctls.rbegin(); entry != entries.sysctls.rend(); ++entry) {
    if (read_sysctl(entry->first) == entry->second)
      continue;
    if (const int error = write_sysctl(entry->first, entry->second))
      failed.push_back(sysctl_problem(entry->first, error) + "; it was " + entry->second);
    else
      done.push_back("set " + entry->first + " back to " + entry->second);
  }
}

void append(std::vector<std::string>& to, std::vector<std::string>&& more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

/// Restores by a journal that is locked, and removes it where all is well.
std::vector<std::string> restore_by(const StateJournal& journal) {
  std::vector<std::string> done, failed;
  const StateJournal::Entries entries = journal.entries();
  const auto& space = entries.space;
  if (space && space != NetNamespace::current()) {
    if (space->exists())
      return {"session '" + journal.session() + "' changed the state of another network namespace (net:[" +
              std::to_string(space->inode) + "]): start a measurement there, and it is put back"};
  } else {
    put_back(journal, done, failed);
    if (!entries.refused.empty())
      done.push_back("left out of " + journal.path() + " what no session writes there: " + entries.refused);
  }
  if (failed.empty())
    journal.remove();
  append(done, std::move(failed));
  return done;
}

} // namespace

struct SystemState::Changes {
  StateJournal journal;
  std::set<std::string> noted; ///< sysctls that are in the journal
  bool open = true;
};

SystemState::SystemState(const std::string& session) {
  for (const std::string& said : restore_dead_system_states())
    spdlog::warn("{}", said);
  changes_ = std::make_unique<Changes>(Changes{StateJournal::make(session), {}, true});
  const StateJournal& journal = changes_->journal;
  try {
    const NetNamespace here = NetNamespace::current();
    journal.add_namespace(here);
    // Two that start at once: each has written its namespace before it looks, so that one of them sees the other.
    for (const std::string& other : StateJournal::list().sessions)
      if (other != session && StateJournal::take(other, 0).held_by_other() && StateJournal::namespace_of(other) == here)
        throw Error("session '" + other +
                    "' changes the state of this network namespace now, and two at once would measure each other: "
                    "wait until it has ended, or use a network namespace of its own");
  } catch (...) {
    journal.remove();
    throw;
  }
}

SystemState::~SystemState() {
  restore();
}

void SystemState::set_sysctl(const std::string& name, const std::string& value) {
  if (const auto why = sysctl_refusal(name, value); !why.empty())
    throw Error("cannot set " + name + " to '" + value + "': " + why);
  if (!changes_->noted.contains(name)) {
    const auto before = read_sysctl(name);
    if (!before)
      throw Error(sysctl_problem(name, errno));
    if (const auto why = sysctl_refusal(name, *before); !why.empty())
      throw Error("cannot set " + name + ": what it is, '" + *before + "', could not be put back: " + why);
    changes_->journal.add_sysctl(name, *before);
    changes_->noted.insert(name);
  }
  // Also where this session has set it to that already: somebody else may have set it since.
  if (const int error = write_sysctl(name, value))
    throw Error(sysctl_problem(name, error));
}

void SystemState::check_rights(const std::vector<std::string>& sysctls) {
  for (const auto& name : sysctls) {
    if (const auto why = sysctl_refusal(name); !why.empty())
      throw Error("cannot set " + name + ": " + why);
    const FileDescriptor file(open(sysctl_path(name).c_str(), O_WRONLY | O_CLOEXEC));
    if (file.get() < 0)
      throw Error(sysctl_problem(name, errno));
  }
}

std::vector<std::string> SystemState::restore() noexcept {
  std::vector<std::string> done, failed;
  if (!std::exchange(changes_->open, false))
    return failed;
  try {
    put_back(changes_->journal, done, failed);
    if (failed.empty())
      changes_->journal.remove();
  } catch (const std::exception& error) {
    // The journal stays: the next start puts back what is left.
    failed.emplace_back(error.what());
  }
  return failed;
}

std::vector<std::string> restore_system_state(const std::string& session) {
  const StateJournal journal = StateJournal::take(session, StateJournal::patience_ms);
  if (journal.held_by_other())
    return {"session '" + session + "' still changes the state of the system: a process of it holds " + journal.path()};
  return journal ? restore_by(journal) : std::vector<std::string>();
}

std::vector<std::string> restore_dead_system_states() {
  std::vector<std::string> said;
  for (const std::string& session : StateJournal::list().sessions)
    if (const StateJournal journal = StateJournal::take(session, 0))
      append(said, restore_by(journal));
  return said;
}

std::string refused_system_states() {
  return StateJournal::list().refused;
}

} // namespace orbweaver
