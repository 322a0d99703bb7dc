// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/stream/shared_memory.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
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
std::optional<HugePages> huge_pages_mount() {
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

bip::mapped_region create_on_huge_pages(const std::string& name, std::size_t bytes) {
  const auto huge = huge_pages_mount();
  if (!huge)
    throw Error("huge pages: no hugetlbfs is mounted; mount one (mount -t hugetlbfs none /dev/hugepages), or leave "
                "--huge-pages out");
  const std::size_t rounded = (bytes + huge->page_bytes - 1) / huge->page_bytes * huge->page_bytes;
  const std::string path = huge->mount + "/" + name;
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    throw Error("huge pages: cannot create " + path + ": " + errno_text());
  const bool sized = ftruncate(fd, static_cast<off_t>(rounded)) == 0;
  const int error = errno;
  close(fd);
  try {
    if (!sized)
      throw Error("huge pages: " + path + ": " + errno_text(error));
    return {bip::file_mapping(path.c_str(), bip::read_write), bip::read_write, 0, rounded};
  } catch (const bip::interprocess_exception&) {
    unlink(path.c_str());
    const auto pages = rounded / huge->page_bytes;
    throw Error("huge pages: " + std::to_string(pages) + " pages of " + std::to_string(huge->page_bytes >> 20) +
                " MiB are not free for " + name +
                "; raise vm.nr_hugepages by so many for each ring of the session (sysctl "
                "vm.nr_hugepages), or leave --huge-pages out");
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
}

/// Where a segment of that name is, or nothing.
std::optional<std::string> huge_path(const std::string& name) {
  const auto huge = huge_pages_mount();
  if (!huge)
    return std::nullopt;
  const std::string path = huge->mount + "/" + name;
  return access(path.c_str(), F_OK) == 0 ? std::optional(path) : std::nullopt;
}

bool in_shm(const std::string& name) {
  return access((std::string(shm_directory) + "/" + name).c_str(), F_OK) == 0;
}

void list_directory(const std::string& directory, std::string_view prefix, std::vector<std::string>& names) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    if (auto name = entry.path().filename().string(); name.starts_with(prefix))
      names.push_back(std::move(name));
  }
}

} // namespace

Segment::Segment(bip::mapped_region&& region) : region_(std::make_shared<bip::mapped_region>(std::move(region))) {}

Segment Segment::create(const std::string& name, std::size_t bytes, bool huge_pages) {
  try {
    if (huge_pages)
      return Segment(create_on_huge_pages(name, bytes));
    bip::shared_memory_object object(bip::create_only, name.c_str(), bip::read_write, bip::permissions(0600));
    try {
      object.truncate(static_cast<bip::offset_t>(bytes));
      // Reserves the memory now: a full /dev/shm is an error here, not a SIGBUS later.
      if (const int error = posix_fallocate(object.get_mapping_handle().handle, 0, static_cast<off_t>(bytes)))
        throw Error(std::to_string(bytes >> 20) + " MiB of shared memory for " + name + ": " + errno_text(error) +
                    "; use smaller rings, or enlarge /dev/shm (mount -o remount,size=... /dev/shm)");
      return Segment(bip::mapped_region(object, bip::read_write));
    } catch (...) {
      remove(name);
      throw;
    }
  } catch (const bip::interprocess_exception& error) {
    throw Error("cannot create shared memory " + name + ": " + error.what());
  }
}

Segment Segment::attach(const std::string& name, bool writable) {
  const auto mode = writable ? bip::read_write : bip::read_only;
  try {
    if (in_shm(name)) {
      const bip::shared_memory_object object(bip::open_only, name.c_str(), mode);
      bip::offset_t size = 0;
      if (!object.get_size(size) || size == 0)
        throw Error("shared memory " + name + " is empty: its creator has not finished");
      return Segment(bip::mapped_region(object, mode));
    }
    if (const auto path = huge_path(name))
      return Segment(bip::mapped_region(bip::file_mapping(path->c_str(), mode), mode));
    throw Error("no shared memory of the name " + name);
  } catch (const bip::interprocess_exception& error) {
    throw Error("cannot attach shared memory " + name + ": " + error.what());
  }
}

bool Segment::remove(const std::string& name) noexcept {
  if (bip::shared_memory_object::remove(name.c_str()))
    return true;
  try {
    const auto path = huge_path(name);
    return path && unlink(path->c_str()) == 0;
  } catch (...) {
    return false;
  }
}

bool Segment::exists(const std::string& name) noexcept {
  try {
    return !path(name).empty();
  } catch (...) {
    return false;
  }
}

std::string Segment::path(const std::string& name) {
  return in_shm(name) ? std::string(shm_directory) + "/" + name : huge_path(name).value_or(std::string());
}

std::vector<std::string> Segment::list(std::string_view prefix) {
  std::vector<std::string> names;
  list_directory(shm_directory, prefix, names);
  if (const auto huge = huge_pages_mount())
    list_directory(huge->mount, prefix, names);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

} // namespace orbweaver
