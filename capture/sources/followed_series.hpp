// SPDX-License-Identifier: GPL-3.0-or-later
// Which file of a rotated series is the next to be read, for --follow. What a name stands for there:
//
//   cap.pcap           that file, whatever is given its name after it (the old one was renamed, or is begun anew), and
//                      with a number behind it, as tcpdump -C and -W write: cap.pcap1, cap.pcap2, cap.pcap00; and as
//                      dumpcap -b writes: cap_00001_20240131120000.pcap
//   cap.pcap07         the same series
//   'cap-*.pcap'       all files that match, as tcpdump -G writes: cap-20240131.pcap
//   a folder           all captures in it
//
// The order is that of the first packets' times, since names and numbers come round again. Files are looked at by name
// only: whoever opens them sees to the rest. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace orbweaver {

/// A file of a series that has a packet.
struct SeriesFile {
  std::string path;
  std::uint64_t first_ns = 0; ///< the time of its first packet
};

class FollowedSeries {
public:
  /// `given`: a path, a pattern, or a folder; nothing of it need be there yet, but the folder must. Throws Error.
  explicit FollowedSeries(std::string given);

  /// The folder that it looks into.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  /// Whether a file of that name belongs to it.
  [[nodiscard]] bool has(const std::string& file_name) const;

  /// Of its files that have a packet and are not taken, the one with the earliest. A file is read at its beginning for
  /// that, once as long as it does not change.
  [[nodiscard]] std::optional<SeriesFile> next();

  /// This one is taken, under whatever name it or a copy of it comes again.
  void take(const SeriesFile& file) { taken_.insert(file.first_ns); }

private:
  struct Looked {
    std::uint64_t inode = 0;
    std::int64_t octets = 0, changed_ns = 0;
    std::optional<std::uint64_t> first_ns{};
  };
  [[nodiscard]] std::optional<std::uint64_t> first_time(const std::string& path);

  std::string given_;
  std::string folder_;
  std::string pattern_; ///< of file names; empty: those of a stem
  std::string stem_;    ///< without its number
  std::map<std::string, Looked> looked_;
  std::set<std::uint64_t> taken_; ///< first packets' times
};

} // namespace orbweaver
