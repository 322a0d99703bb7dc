// SPDX-License-Identifier: GPL-3.0-or-later
// Finds out what the user's SOURCE is, and opens the reader for it. At start-up, in the capture stage's thread.
#pragma once

#include "capture/sources/source.hpp"
#include "capture/sources/watched_source.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace orbweaver {

struct SourceOptions {
  enum class Reader : std::uint8_t {
    automatic, ///< our own reader for capture files and pipes, libtrace for all else
    mapped,    ///< our own reader or none
    libtrace,  ///< libtrace or none
  };

  /// An interface, the path of a capture file (pcap or pcapng, compressed or not), "-" for standard input, or a
  /// libtrace URI ("int:eth0", "erf:trace.erf"). An interface's name goes before a file's of the same name; "./eth0" is
  /// the file. A bare interface is read as "pcapint:", with times in microseconds; "ring:" and "int:" give nanoseconds.
  std::string name;
  Reader reader = Reader::automatic;
  std::uint32_t snap_length = 0;       ///< octets of each frame to give; 0 is all
  bool promiscuous = false;            ///< live: take frames for other hosts too
  std::uint32_t kernel_buffer_mib = 0; ///< live: what the kernel keeps of unread packets; 0: what libtrace makes it
  bool follow = false;                 ///< a file: as FollowSource does; for open_inputs()
  LinkLoss link = {};                  ///< live: what to do when the interface goes away
};

/// Throws Error, or UsageError where the options contradict each other: what failed, where, and what to do about it.
[[nodiscard]] std::unique_ptr<Source> open_source(const SourceOptions& options);

} // namespace orbweaver
