// SPDX-License-Identifier: GPL-3.0-or-later
// Classic pcap (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds, the variant with longer record
// headers (a1b2cd34), and the versions before 2.4, whose records have their two lengths the other way round. Where
// captures were put one behind the other, another file header stands in place of a record. One thread.
#pragma once

#include "capture/sources/capture_reader.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace orbweaver {

[[nodiscard]] bool is_pcap_magic(Input::Octets start) noexcept;

/// Whether a capture file's header stands there, which no record can be: what a record has its wire length in is 0 in
/// it. Takes file_start_octets.
[[nodiscard]] bool is_pcap_header(const std::uint8_t* at) noexcept;

/// Reads as tcpdump does, with these differences: a record longer than the file's own snap length is given whole. A
/// record of more than 262,144 octets and more than the file's snap length is a fault. Behind a second file header it
/// reads on as that says; what stands behind one of an unsupported link type is skipped.
class PcapReader final : public CaptureReader {
public:
  /// `input` begins with a pcap magic. Throws Error for a header that is cut off, of another version, or of a link type
  /// that is not supported. `plain`: version 2.4 and one capture are all that it takes.
  PcapReader(std::unique_ptr<Input> input, std::uint32_t snap_length, bool plain = false);

private:
  /// How a version has a record's captured and wire length.
  enum class Lengths : std::uint8_t {
    usual,      ///< captured first: 2.4 and later
    other,      ///< wire first: before 2.3
    either_way, ///< 2.3: programs wrote both, and what was captured is no more than what was on the wire
  };

  std::size_t take(std::span<Frame> out) noexcept override;
  std::string what_was_skipped() const override;

  template <bool swapped, bool old>
  [[nodiscard]] std::size_t walk(std::span<Frame> out) noexcept;
  [[nodiscard]] bool is_no_record(Input::Octets octets, std::uint32_t captured, std::size_t count) noexcept;
  template <bool swapped>
  [[nodiscard]] std::string read_header();
  [[nodiscard]] std::string read_file_header();
  [[nodiscard]] bool begins_again() noexcept;

  const bool plain_;
  LinkType link_{};
  bool known_link_ = true; // else the records of this part are skipped
  std::uint32_t link_number_ = 0;
  std::uint32_t skipped_number_ = 0; // the link type of the first packet skipped
  Lengths lengths_ = Lengths::usual;
  bool swapped_ = false;
  std::uint32_t header_octets_ = 16; // of a record
  std::uint32_t fraction_ns_ = 1;    // nanoseconds in a unit of the times' second field
  std::uint32_t max_captured_ = 0;
};

} // namespace orbweaver
