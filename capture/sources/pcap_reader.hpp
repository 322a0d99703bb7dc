// SPDX-License-Identifier: GPL-3.0-or-later
// Classic pcap (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds, and the variant with longer
// record headers (a1b2cd34). One thread.
#pragma once

#include "capture/sources/capture_reader.hpp"

#include <memory>

namespace orbweaver {

[[nodiscard]] bool is_pcap_magic(Input::Octets start) noexcept;

/// Reads as tcpdump does, with these differences: a record longer than the file's own snap length is given whole. A
/// record of more than 262,144 octets and more than the file's snap length is a fault.
class PcapReader final : public CaptureReader {
public:
  /// `input` begins with a pcap magic. Throws Error for a header that is cut off, of another version, or of a link type
  /// that is not supported.
  PcapReader(std::unique_ptr<Input> input, std::uint32_t snap_length);

private:
  std::size_t take(std::span<Frame> out) noexcept override;
  template <bool swapped>
  [[nodiscard]] std::size_t walk(std::span<Frame> out) noexcept;
  template <bool swapped>
  void read_header();

  LinkType link_{};
  bool swapped_ = false;
  std::uint32_t header_octets_ = 16; // of a record
  std::uint32_t fraction_ns_ = 1;    // nanoseconds in a unit of the times' second field
  std::uint32_t max_captured_ = 0;
};

} // namespace orbweaver
