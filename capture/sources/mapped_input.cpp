// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/input.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace orbweaver {
namespace {

/// Page tables are filled this many octets at a time, by one call instead of a fault every 16 pages.
constexpr std::size_t step_octets = std::size_t{4} << 20;

/// A mapping whose octets may go away: using a page behind the end of its file raises SIGBUS.
struct Mapping {
  std::uintptr_t begin = 0, end = 0;
  volatile std::sig_atomic_t lost = 0; ///< set by the signal handler, in the thread that reads
  Mapping* next = nullptr;
};
Mapping* mappings = nullptr; // those of this process; capture's only thread changes and walks them

/// Puts a page of zeros where one of a mapping is gone, and notes it, so that the reader comes to where it can fail in
/// order. Any other SIGBUS ends the process. Only async-signal-safe calls.
extern "C" void on_bus_error(int signal, siginfo_t* info, void*) {
  const auto at = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (Mapping* mapping = mappings; mapping != nullptr && info->si_code > 0; mapping = mapping->next) {
    if (at < mapping->begin || at >= mapping->end)
      continue;
    const auto page_octets = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const page = reinterpret_cast<void*>(at / page_octets * page_octets);
    if (mmap(page, page_octets, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
      break;
    mapping->lost = 1;
    return;
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void handle_bus_errors() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, nullptr);
}

class MappedInput final : public Input {
public:
  MappedInput(const std::string& path, int descriptor, std::size_t size)
      : Input(path), descriptor_(descriptor), size_(size) {
    void* mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapped == MAP_FAILED) {
      const std::string reason = errno_text();
      close(descriptor);
      throw Error(path + ": cannot be mapped into memory: " + reason);
    }
    data_ = static_cast<const std::uint8_t*>(mapped);
    madvise(mapped, size, MADV_SEQUENTIAL);
    mapping_.begin = reinterpret_cast<std::uintptr_t>(mapped);
    mapping_.end = mapping_.begin + size;
    mapping_.next = std::exchange(mappings, &mapping_);
    handle_bus_errors();
    set_window({data_, 0});
  }

  ~MappedInput() override {
    Mapping** link = &mappings;
    while (*link != &mapping_)
      link = &(*link)->next;
    *link = mapping_.next;
    munmap(const_cast<std::uint8_t*>(data_), size_);
    close(descriptor_);
  }

  More advance(const std::uint8_t* from) noexcept override {
    set_window({from, data_ + shown_});
    if (shown_ == size_ && mapping_.lost == 0)
      return More::end;
    struct stat now {};
    if (fstat(descriptor_, &now) == 0 && static_cast<std::size_t>(now.st_size) < size_)
      return fail("was cut to " + std::to_string(now.st_size) + " octets while it was read");
    if (mapping_.lost != 0)
      return fail("was cut shorter while it was read");
    const std::size_t step = std::min(step_octets, size_ - shown_);
    // EFAULT: using these octets would end in SIGBUS. An older kernel knows no such call; faults do its work then.
    if (madvise(at(shown_), step, MADV_POPULATE_READ) != 0 && (errno == EFAULT || errno == EIO))
      return fail("cannot be read: the disk fails, or the file was cut shorter meanwhile");
    shown_ += step;
    madvise(at(shown_), std::min(2 * step_octets, size_ - shown_), MADV_WILLNEED);
    set_window({from, data_ + shown_});
    return More::more;
  }

  bool lost(bool look) noexcept override {
    struct stat now {};
    if (look && fstat(descriptor_, &now) == 0 && static_cast<std::size_t>(now.st_size) < size_)
      mapping_.lost = 1;
    return mapping_.lost != 0;
  }

  const volatile std::sig_atomic_t* lost_flag() const noexcept override { return &mapping_.lost; }

  std::uint64_t size_octets() const noexcept override { return size_; }

private:
  [[nodiscard]] void* at(std::size_t offset) const noexcept { return const_cast<std::uint8_t*>(data_) + offset; }

  const std::uint8_t* data_ = nullptr;
  int descriptor_;
  std::size_t size_;
  Mapping mapping_;
  std::size_t shown_ = 0; // octets from the start to the window's end
};

} // namespace

std::unique_ptr<Input> open_mapped_input(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw Error(path + ": cannot be opened: " + errno_text());
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
    close(descriptor);
    throw Error(path + (S_ISREG(status.st_mode) ? ": is empty" : ": is not a regular file"));
  }
  return std::make_unique<MappedInput>(path, descriptor, static_cast<std::size_t>(status.st_size));
}

} // namespace orbweaver
