// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/file_series.hpp"

#include "common/error.hpp"
#include "common/printable.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orbweaver {

namespace {

constexpr unsigned most_of_one_name = 100'000;

/// Renames without replacing anything; 0 or errno.
int rename_new(const char* from, const char* to) noexcept {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return errno;
  // A file system without it: a second name, then the first one goes.
  if (link(from, to) != 0)
    return errno;
  unlink(from);
  return 0;
}

struct KeptFile {
  std::string name;
  timespec changed;
  std::uint64_t octets;
};

/// Whether two names are of one file.
bool is_same_file(const char* one, const char* other) noexcept {
  struct stat status {
  }, other_status{};
  return lstat(one, &status) == 0 && lstat(other, &other_status) == 0 && status.st_dev == other_status.st_dev &&
         status.st_ino == other_status.st_ino;
}

std::uint64_t hash_of(const std::string& name) noexcept {
  return XXH3_64bits(name.data(), name.size()) | 1;
}

bool is_older(const KeptFile& one, const KeptFile& other) noexcept {
  if (one.changed.tv_sec != other.changed.tv_sec)
    return one.changed.tv_sec < other.changed.tv_sec;
  if (one.changed.tv_nsec != other.changed.tv_nsec)
    return one.changed.tv_nsec < other.changed.tv_nsec;
  return one.name < other.name;
}

} // namespace

FileSeries::FileSeries(const NamePattern& names, FileBound keep, const Warn& warn, const FileSeriesMark* left)
    : names_{names}, keep_(keep), warn_(warn), manifest_path_(names.manifest()) {
  const auto refuse = [this](const std::string& why) {
    throw Error("cannot write " + printable(manifest_path_) + ", which lists the files that are complete: " + why);
  };
  manifest_ = FileDescriptor(
      open(manifest_path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
  struct stat status {};
  if (!manifest_ || fstat(manifest_.get(), &status) != 0)
    refuse(errno_text());
  if (const auto why = why_not_trusted(status, {S_IFREG, 0, false}); !why.empty())
    refuse("it " + why);
  if (flock(manifest_.get(), LOCK_EX | LOCK_NB) != 0)
    refuse("another run is writing files of that name");
  cut_to_line(manifest_.get());
  if (left) {
    mark_ = *left;
    return;
  }
  const auto end = lseek(manifest_.get(), 0, SEEK_END);
  mark_.listed = end > 0 ? static_cast<std::uint64_t>(end) : 0;
  if (warn_)
    for (const auto& file : left_files(names))
      warn_(to_string(file));
}

WorkFile FileSeries::begin(const NamePattern& names, std::uint64_t begin_s, WorkTag& tag) {
  return make_work_file(names.path_of(names.name(begin_s)), 0666, tag);
}

void FileSeries::rename_work(const NamePattern& names, std::uint64_t begin_s, std::string& work_path) noexcept {
  constexpr std::size_t added_octets = std::string_view(".XXXXXX.part").size();
  const auto better = names.path_of(names.name(begin_s)) + work_path.substr(work_path.size() - added_octets);
  if (better != work_path && rename_new(work_path.c_str(), better.c_str()) == 0)
    work_path = better;
}

int FileSeries::complete(const NamePattern& names, const std::string& work_path, std::uint64_t begin_s,
                         unsigned& number) const {
  for (;; note()) { // who follows looks for the number that was tried last
    const auto path = names.path_of(names.name(begin_s, number));
    const int error = rename_new(work_path.c_str(), path.c_str());
    if (error != EEXIST)
      return error;
    if (is_same_file(work_path.c_str(), path.c_str())) // it was given its name, and nobody came to take the other one
      return unlink(work_path.c_str()) == 0 ? 0 : errno;
    if (++number == most_of_one_name)
      return error;
  }
}

bool FileSeries::is_listed(std::string_view line) const {
  std::string there(line.size(), '\0');
  return pread(manifest_.get(), there.data(), there.size(), static_cast<off_t>(mark_.listed)) ==
             static_cast<ssize_t>(line.size()) &&
         there == line;
}

bool FileSeries::list(const std::string& line, std::span<const CompleteFile> newest,
                      const std::function<bool()>& wait_on) {
  if (!is_listed(line) && !append(line, wait_on))
    return false;
  remove_oldest(newest); // until it is over, who follows begins with the line again
  const auto end = lseek(manifest_.get(), 0, SEEK_END);
  mark_.listed = end > 0 ? static_cast<std::uint64_t>(end) : 0;
  return true;
}

bool FileSeries::append(const std::string& line, const std::function<bool()>& wait_on) {
  const auto start = lseek(manifest_.get(), 0, SEEK_END);
  int error = start < 0 ? errno : 0;
  for (std::size_t done = 0; done < line.size() && error == 0;) {
    const auto written = write(manifest_.get(), line.data() + done, line.size() - done);
    if (written > 0) {
      done += static_cast<std::size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      error = written == 0 ? EIO : errno;
      if (ftruncate(manifest_.get(), start) != 0)
        break;
      done = 0;
      if ((error == ENOSPC || error == EDQUOT) && wait_on) {
        poll(nullptr, 0, 100);
        error = wait_on() ? 0 : error;
      }
    }
  }
  if (error != 0)
    failure_ = "cannot write " + printable(manifest_path_) + ": " + errno_text(error) +
               "; the files that it lists, and the one that is complete since, are whole";
  return error == 0;
}

void FileSeries::remove_oldest(std::span<const CompleteFile> newest) {
  if (!keep_)
    return;
  const auto& folder_name = names_.front().folder();
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(folder_name.c_str()), closedir);
  if (!folder) {
    if (warn_)
      warn_("cannot look for files that --keep removes in " + printable(folder_name) + ": " + errno_text());
    return;
  }
  const int at = dirfd(folder.get());
  std::vector<KeptFile> files;
  std::uint64_t octets = 0;
  while (const dirent* const entry = readdir(folder.get())) {
    const std::string name = entry->d_name;
    struct stat status {};
    if (std::ranges::none_of(names_, [&](const NamePattern& names) { return names.matches(name); }) ||
        fstatat(at, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !is_trusted(status, {S_IFREG, 0, false}))
      continue;
    octets += static_cast<std::uint64_t>(status.st_size);
    if (std::ranges::find(newest, name, &CompleteFile::name) == newest.end())
      files.push_back({name, status.st_mtim, static_cast<std::uint64_t>(status.st_size)});
  }
  if (mark_.removing != 0 &&
      std::ranges::none_of(files, [this](const KeptFile& file) { return hash_of(file.name) == mark_.removing; }))
    ++mark_.removed; // by who died then
  mark_.removing = 0;
  std::ranges::sort(files, is_older);
  const auto oldest_s = std::time(nullptr) - static_cast<std::time_t>(keep_.seconds);
  for (const auto& file : files) {
    const bool too_old = keep_.seconds != 0 && file.changed.tv_sec < oldest_s;
    const bool too_much = keep_.octets != 0 && octets > keep_.octets;
    if (!too_old && !too_much)
      break;
    mark_.removing = hash_of(file.name);
    note();
    if (unlinkat(at, file.name.c_str(), 0) == 0) {
      ++mark_.removed;
      octets -= file.octets;
    } else if (warn_) {
      warn_("--keep cannot remove " + printable(names_.front().path_of(file.name)) + ": " + errno_text());
    }
    mark_.removing = 0;
  }
}

} // namespace orbweaver
