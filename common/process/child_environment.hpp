// SPDX-License-Identifier: GPL-3.0-or-later
// What of its environment a program of ours hands to those that it starts: what they need, and nothing that somebody
// put there for others. Tokens, preloaded libraries of other users and the like stay behind. No state, any thread.
#pragma once

#include <vector>

namespace orbweaver {

/// Pointers into this process's environment, with a null pointer behind the last, as exec takes them.
[[nodiscard]] std::vector<char*> child_environment();

} // namespace orbweaver
