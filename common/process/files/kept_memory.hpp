// SPDX-License-Identifier: GPL-3.0-or-later
// Memory that outlives a process: what a stage of a supervised session leaves to the one that is started in its place.
// A file without a name (memfd) that the front command makes, holds, and hands to each process of that stage; it is
// gone with the last of them, whatever happens. Its layout is the stage's own.
//
// Who is killed has done a prefix of its stores, in the order in which the compiler left them: in_order() between two
// of them says that the second one is seen only with the first.
#pragma once

#include "common/file_descriptor.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace orbweaver {

inline constexpr std::uint64_t huge_page_octets = std::uint64_t{2} << 20;

/// A new one, empty. Throws Error.
[[nodiscard]] FileDescriptor make_kept_memory(const std::string& name);

/// Its size now, in octets.
[[nodiscard]] std::uint64_t kept_octets(int fd);

/// Makes it that large, all zero, and keeps it from being cut short. Takes memory only where it is touched. Throws
/// Error.
void size_kept_memory(int fd, std::uint64_t octets);

/// Maps that part of it, which ends with the process, at a multiple of huge_page_octets. `offset` is one of the page
/// size. Throws Error.
[[nodiscard]] std::byte* map_kept_memory(int fd, std::uint64_t offset, std::uint64_t octets);

/// What is stored after it is not seen without what was stored before, by who finds the memory of a killed process.
inline void in_order() noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

} // namespace orbweaver
