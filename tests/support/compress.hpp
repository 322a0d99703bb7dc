// SPDX-License-Identifier: GPL-3.0-or-later
// Compresses octets as a single stream of each format that captures come in, for tests. Nothing is tuned: the
// libraries' ordinary settings.
#pragma once

#include "tests/support/bytes.hpp"

namespace orbweaver::craft {

/// Each throws std::runtime_error where its library fails.
Bytes gzip(const Bytes& plain);
Bytes bzip2(const Bytes& plain);
Bytes xz(const Bytes& plain);
Bytes lz4(const Bytes& plain);
/// `window_log`: the window that a reader needs, as a power of two; 0: the library's choice.
Bytes zstd(const Bytes& plain, int window_log = 0);

} // namespace orbweaver::craft
