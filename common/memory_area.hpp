// SPDX-License-Identifier: GPL-3.0-or-later
// A large area of zeroed memory, private or one that outlives the process, that costs nothing until it is touched, on
// huge pages where it is asked for them and the kernel has them.
#pragma once

#include "common/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
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
  /// Takes what is mapped already, shared, and unmaps it in the end.
  MemoryArea(std::byte* data, std::size_t bytes) noexcept : data_(data), size_(bytes), shared_(true), huge_to_(0) {}
  MemoryArea(MemoryArea&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), shared_(other.shared_),
        huge_to_(other.huge_to_) {}
  MemoryArea& operator=(MemoryArea&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(shared_, other.shared_);
    std::swap(huge_to_, other.huge_to_);
    return *this;
  }
  ~MemoryArea() {
    if (data_)
      munmap(data_, size_);
  }

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// So much of it is going to be touched. By itself the kernel gives no huge pages to what is shared; asked for one
  /// that is in use it does (since Linux 6.1). Without, a packet takes half as long again with 1 million flows.
  void will_touch(std::size_t bytes) noexcept {
    if (bytes > huge_to_) [[unlikely]]
      ask_for_huge(bytes);
  }

  /// Makes the first so many octets, rounded to pages, zero again, and gives their memory back.
  void clear(std::size_t bytes) noexcept {
    const std::size_t whole = std::min((bytes + 4095) & ~std::size_t{4095}, size_ & ~std::size_t{4095});
    if (madvise(data_, whole, shared_ ? MADV_REMOVE : MADV_DONTNEED) != 0 || whole < bytes)
      std::memset(data_, 0, std::min(bytes, size_));
    huge_to_ = shared_ ? 0 : huge_to_;
  }

private:
  static constexpr std::size_t all = ~std::size_t{0};

  [[gnu::noinline]] void ask_for_huge(std::size_t bytes) noexcept {
    constexpr std::size_t huge = std::size_t{2} << 20;
    constexpr int madv_collapse = 25; // not in every header
    while (huge_to_ < bytes && huge_to_ != all) {
      if (size_ - huge_to_ < huge) {
        huge_to_ = all;
        return;
      }
      auto* const page = data_ + huge_to_;
      *static_cast<volatile std::byte*>(page) = *static_cast<volatile std::byte*>(page); // one that is in use
      huge_to_ = madvise(page, huge, madv_collapse) == 0 || errno != EINVAL ? huge_to_ + huge : all;
    }
  }

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool shared_ = false;
  std::size_t huge_to_ = all; ///< for what comes behind this they are asked for
};

} // namespace orbweaver
