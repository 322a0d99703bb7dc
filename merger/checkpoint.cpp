// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/checkpoint.hpp"

#include <algorithm>
#include <csignal>
#include <cstddef>

namespace orbweaver {

Checkpoints::Checkpoints(int fd, int died_by) {
  if (kept_octets(fd) < sizeof(Memory))
    size_kept_memory(fd, sizeof(Memory));
  memory_ = reinterpret_cast<Memory*>(map_kept_memory(fd, 0, sizeof(Memory)));
  auto& [count, checkpoints, at_work, died_at, poison_count, poison_told, list] = *memory_;
  const bool by_itself = died_by >= 0 && died_by != SIGKILL && at_work.stream != 0;
  if (by_itself && at_work == died_at) {
    list[poison_count++ % list.size()] = at_work;
    died_at = {};
  } else {
    died_at = by_itself ? at_work : Record{};
  }
  at_rest();
}

bool Checkpoints::is_poison(std::size_t stream, std::uint64_t number) const noexcept {
  const auto in_use = std::min<std::uint64_t>(memory_->poison_count, max_poison);
  return std::find(memory_->poison.begin(), memory_->poison.begin() + static_cast<std::ptrdiff_t>(in_use),
                   Record{stream + 1, number}) != memory_->poison.begin() + static_cast<std::ptrdiff_t>(in_use);
}

} // namespace orbweaver
