// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/follow/checkpoint.hpp"

namespace orbweaver {

Checkpoints::Checkpoints(int fd, int died_by) {
  if (kept_octets(fd) < sizeof(Memory))
    size_kept_memory(fd, sizeof(Memory));
  memory_ = reinterpret_cast<Memory*>(map_kept_memory(fd, 0, sizeof(Memory)));
  memory_->notes.predecessor_died(died_by);
}

} // namespace orbweaver
