// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/capture_reader.hpp"
#include "capture/sources/input.hpp"
#include "common/error.hpp"
#include "common/system/guarded_mapping.hpp"

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
    guard_ = GuardedMapping(mapped, size, path, &lost_);
    set_window({data_, 0});
  }

  ~MappedInput() override {
    guard_ = {};
    munmap(const_cast<std::uint8_t*>(data_), size_);
    close(descriptor_);
  }

  More advance(const std::uint8_t* from) noexcept override {
    set_window({from, data_ + shown_});
    if (shown_ == size_ && lost_ == 0)
      return More::end;
    struct stat now {};
    if (fstat(descriptor_, &now) == 0 && static_cast<std::size_t>(now.st_size) < size_)
      return fail("was cut to " + std::to_string(now.st_size) + " octets while it was read");
    if (lost_ != 0)
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
      lost_ = 1;
    return lost_ != 0;
  }

  const volatile std::sig_atomic_t* lost_flag() const noexcept override { return &lost_; }

  std::uint64_t size_octets() const noexcept override { return size_; }

private:
  [[nodiscard]] void* at(std::size_t offset) const noexcept { return const_cast<std::uint8_t*>(data_) + offset; }

  const std::uint8_t* data_ = nullptr;
  int descriptor_;
  std::size_t size_;
  volatile std::sig_atomic_t lost_ = 0; ///< pages are gone that were read since
  GuardedMapping guard_;
  std::size_t shown_ = 0; // octets from the start to the window's end
};

} // namespace

std::unique_ptr<Input> open_mapped_input(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    throw Error(path + ": cannot be opened: " + errno_text());
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    throw Error(path + ": is not a regular file");
  }
  if (status.st_size == 0) {
    close(descriptor);
    throw NoCapture(path + ": is empty");
  }
  return std::make_unique<MappedInput>(path, descriptor, static_cast<std::size_t>(status.st_size));
}

} // namespace orbweaver
