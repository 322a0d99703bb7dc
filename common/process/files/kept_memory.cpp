// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/process/files/kept_memory.hpp"

#include "common/error.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {

FileDescriptor make_kept_memory(const std::string& name) {
  FileDescriptor file(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file)
    throw Error("cannot make memory that outlives a stage: " + errno_text() + "; --restart never goes without");
  return file;
}

std::uint64_t kept_octets(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0)
    throw Error("what a predecessor left cannot be read: " + errno_text());
  return static_cast<std::uint64_t>(status.st_size);
}

void size_kept_memory(int fd, std::uint64_t octets) {
  if (ftruncate(fd, static_cast<off_t>(octets)) != 0)
    throw Error("cannot reserve " + std::to_string(octets >> 20) +
                " MiB of memory that outlives a stage: " + errno_text());
  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK); // only for safety
}

std::byte* map_kept_memory(int fd, std::uint64_t offset, std::uint64_t octets) {
  // At an address that huge pages can have: out of a larger piece of addresses.
  const auto refuse = [&] {
    throw Error("cannot map " + std::to_string(octets >> 20) + " MiB of memory that outlives a stage: " + errno_text());
  };
  void* const piece =
      mmap(nullptr, octets + huge_page_octets, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (piece == MAP_FAILED)
    refuse();
  auto* const begin = static_cast<std::byte*>(piece);
  const std::uint64_t before = -reinterpret_cast<std::uintptr_t>(begin) % huge_page_octets;
  if (mmap(begin + before, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
           static_cast<off_t>(offset)) == MAP_FAILED)
    refuse();
  if (before > 0)
    munmap(begin, before);
  return begin + before;
}

} // namespace orbweaver
