// SPDX-License-Identifier: GPL-3.0-or-later
// A large private area of zeroed memory that costs nothing until it is touched, on huge pages where it is asked for
// them and the kernel has them.
#pragma once

#include "common/error.hpp"

#include <cstddef>
#include <string>
#include <sys/mman.h>
#include <utility>

namespace orbweaver {

/// Of what is touched at random huge pages miss the TLB less; the first touch of one clears 2 MiB.
enum class Pages : bool { normal, huge };

class MemoryArea {
public:
  MemoryArea() = default;
  explicit MemoryArea(std::size_t bytes, Pages pages = Pages::huge) : size_(bytes) {
    void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
      throw Error("cannot reserve " + std::to_string(bytes >> 20) + " MiB of memory: " + errno_text() +
                  "; give a lower --max-flows");
    data_ = static_cast<std::byte*>(data);
    if (pages == Pages::huge)
      madvise(data_, size_, MADV_HUGEPAGE); // only a hint
  }
  MemoryArea(MemoryArea&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MemoryArea& operator=(MemoryArea&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MemoryArea() {
    if (data_)
      munmap(data_, size_);
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

} // namespace orbweaver
