// SPDX-License-Identifier: GPL-3.0-or-later
// Sources that libtrace reads: live interfaces and its file formats, and pcap files when the user asks for it there.
// Owned by the capture stage's thread.
#pragma once

#include "capture/sources/source.hpp"
#include "capture/sources/watched_source.hpp"

#include <memory>
#include <string>

namespace orbweaver {

struct LibtraceOptions {
  std::string uri;               ///< FORMAT:REST
  std::uint32_t snap_length = 0; ///< octets of each frame to give; 0 is all
  bool promiscuous = false;
  std::string name;                    ///< what messages call it: what the user typed
  std::uint32_t kernel_buffer_mib = 0; ///< 0: libtrace's own
  LinkLoss link = {};                  ///< what to do when its interface goes away
};

/// Opens any URI of libtrace but "pcapfile:", "erf:" and "rawerf:". Throws Error: an unknown format, an interface that
/// is not there (and which are), a capability that is missing (and how to give it).
[[nodiscard]] std::unique_ptr<Source> open_libtrace(const LibtraceOptions& options);

/// Whether that is a URI of what comes in its own time: an interface, a card, a network.
[[nodiscard]] bool is_live_uri(const std::string& uri);

/// Opens a "pcapfile:" URI. `guard` is our own reader on the same file, and `compressed` says whether it decompresses:
/// libtrace reads each record only after `guard` has found it sound, since libtrace 3.0.22 writes past its buffer for a
/// record of 65,521 to 65,535 octets. Throws Error.
[[nodiscard]] std::unique_ptr<Source> open_libtrace_pcap(const LibtraceOptions& options, std::unique_ptr<Source> guard,
                                                         bool compressed);

} // namespace orbweaver
