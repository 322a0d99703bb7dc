// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/ring/shared_memory.hpp"

#include "common/error.hpp"
#include "common/trusted_file.hpp"

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace orbweaver {

namespace {

namespace bip = boost::interprocess;

constexpr const char* shm_directory = "/dev/shm";

struct HugePages {
  std::string mount;
  std::size_t page_bytes = 0;
};

/// The first hugetlbfs mount and its page size.
std::optional<HugePages> find_huge_pages_mount() {
  std::ifstream mounts("/proc/self/mounts");
  std::string line;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string device, directory, type;
    fields >> device >> directory >> type;
    if (type != "hugetlbfs")
      continue;
    struct stat status {};
    if (stat(directory.c_str(), &status) == 0)
      return HugePages{directory, static_cast<std::size_t>(status.st_blksize)};
  }
  return std::nullopt;
}

/// The same, looked for once: a stage in its cage opens no file.
const std::optional<HugePages>& huge_pages_mount() {
  static const std::optional<HugePages> mount = find_huge_pages_mount();
  return mount;
}

/// An open file, as Boost maps one.
struct OpenFile {
  int fd;
  [[nodiscard]] bip::mapping_handle_t get_mapping_handle() const noexcept { return {fd, false}; }
};

void size_in_shm(const FileDescriptor& file, const std::string& name, std::size_t bytes) {
  // Reserves the memory now: a full /dev/shm is an error here, not a SIGBUS later.
  if (const int error = posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)))
    throw Error(std::to_string(bytes >> 20) + " MiB of shared memory for " + name + ": " + errno_text(error) +
                "; use smaller rings, or enlarge /dev/shm (mount -o remount,size=... /dev/shm)");
}

bip::mapped_region map_huge(const FileDescriptor& file, const std::string& name, std::size_t bytes,
                            std::size_t page_bytes) {
  const std::size_t pages = (bytes + page_bytes - 1) / page_bytes;
  if (ftruncate(file.get(), static_cast<off_t>(pages * page_bytes)) != 0)
    throw Error("huge pages: " + name + ": " + errno_text());
  try {
    return {OpenFile{file.get()}, bip::read_write, 0, pages * page_bytes};
  } catch (const bip::interprocess_exception&) {
    throw Error("huge pages: " + std::to_string(pages) + " pages of " + std::to_string(page_bytes >> 20) +
                " MiB are not free for " + name +
                "; raise vm.nr_hugepages by so many for each ring of the session (sysctl "
                "vm.nr_hugepages), or leave --huge-pages out");
  }
}

/// The file of that name in a folder, whosever it is; false where there is none.
bool find(const std::string& folder, const std::string& name, std::string& path, struct stat& status) {
  path = folder + "/" + name;
  return name.find('/') == std::string::npos && lstat(path.c_str(), &status) == 0;
}

/// The same in /dev/shm, or else on hugetlbfs.
bool find(const std::string& name, std::string& path, struct stat& status) {
  if (find(shm_directory, name, path, status))
    return true;
  const auto& huge = huge_pages_mount();
  return huge && find(huge->mount, name, path, status);
}

void list_directory(const std::string& directory, std::string_view prefix, std::vector<std::string>& names) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    struct stat status {};
    if (auto name = entry.path().filename().string();
        name.starts_with(prefix) && lstat(entry.path().c_str(), &status) == 0 && is_trusted(status, own_file))
      names.push_back(std::move(name));
  }
}

} // namespace

Segment::Segment(bip::mapped_region&& region, const std::string& path)
    : region_(std::make_shared<bip::mapped_region>(std::move(region))),
      guard_(region_->get_address(), region_->get_size(), path) {}

Segment Segment::create(const std::string& name, std::size_t bytes, bool huge_pages, std::size_t slack) {
  const auto huge = huge_pages ? huge_pages_mount() : std::nullopt;
  if (huge_pages && !huge)
    throw Error("huge pages: no hugetlbfs is mounted; mount one (mount -t hugetlbfs none /dev/hugepages), or leave "
                "--huge-pages out");
  const std::string path = (huge ? huge->mount : std::string(shm_directory)) + "/" + name;
  const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) {
    const int error = errno;
    const std::string why = error == EEXIST ? why_not_ours(name) : std::string();
    throw Error("cannot create " + path + ": " + (why.empty() ? errno_text(error) : why));
  }
  try {
    if (huge)
      return Segment(map_huge(file, name, bytes, huge->page_bytes), path);
    size_in_shm(file, name, bytes);
    if (slack > 0 && ftruncate(file.get(), static_cast<off_t>(bytes + slack)) != 0)
      throw Error("cannot size " + path + ": " + errno_text());
    return Segment(bip::mapped_region(OpenFile{file.get()}, bip::read_write, 0, bytes + slack), path);
  } catch (const bip::interprocess_exception& error) {
    unlink(path.c_str());
    throw Error("cannot map " + path + ": " + error.what());
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
}

FileDescriptor Segment::open(const std::string& name, bool writable) {
  struct stat status {};
  std::string path, why;
  if (!find(name, path, status))
    throw Error("no shared memory of the name " + name);
  FileDescriptor file = open_trusted(AT_FDCWD, path, writable ? O_RDWR : O_RDONLY, own_file, why);
  if (!file)
    throw Error(path + " " + (why.empty() ? "has just gone" : why));
  return file;
}

Segment Segment::attach(const std::string& name, bool writable) {
  const FileDescriptor file = open(name, writable);
  struct stat status {};
  if (fstat(file.get(), &status) != 0 || status.st_size <= 0)
    throw Error("shared memory " + name + " is empty: its creator has not finished");
  try {
    return Segment(bip::mapped_region(OpenFile{file.get()}, writable ? bip::read_write : bip::read_only, 0,
                                      static_cast<std::size_t>(status.st_size)),
                   "shared memory " + name);
  } catch (const bip::interprocess_exception& error) {
    throw Error("cannot attach shared memory " + name + ": " + error.what());
  }
}

bool Segment::remove(const std::string& name) noexcept {
  try {
    struct stat status {};
    std::string path;
    return find(name, path, status) && is_trusted(status, own_file) && unlink(path.c_str()) == 0;
  } catch (...) {
    return false;
  }
}

bool Segment::exists(const std::string& name) noexcept {
  try {
    struct stat status {};
    std::string path;
    return find(name, path, status) && is_trusted(status, own_file);
  } catch (...) {
    return false;
  }
}

std::string Segment::why_not_ours(const std::string& name) {
  struct stat status {};
  std::string path;
  if (!find(name, path, status))
    return {};
  const std::string why = why_not_trusted(status, own_file);
  return why.empty() ? why : path + " " + why;
}

std::vector<std::string> Segment::folders() {
  std::vector<std::string> folders{shm_directory};
  if (const auto& huge = huge_pages_mount())
    folders.push_back(huge->mount);
  return folders;
}

std::vector<std::string> Segment::list(std::string_view prefix) {
  std::vector<std::string> names;
  list_directory(shm_directory, prefix, names);
  if (const auto& huge = huge_pages_mount())
    list_directory(huge->mount, prefix, names);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

} // namespace orbweaver
