// SPDX-License-Identifier: GPL-3.0-or-later
// pcapng (draft-ietf-opsawg-pcapng): any number of sections, each in its own byte order; any number of interfaces, each
// with its own link type, snap length and clock; enhanced, simple and obsolete packet blocks. Blocks of all other types
// are passed over, known or not. One thread.
#pragma once

#include "capture/sources/capture_reader.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace orbweaver {

/// Turns an interface's timestamps into nanoseconds since 1970.
struct InterfaceClock {
  std::uint8_t resolution = 6; ///< if_tsresol: 10^-n s, or 2^-n s with the top bit set
  std::int64_t offset_s = 0;   ///< if_tsoffset
  std::uint32_t factor = 1000; ///< nanoseconds in a tick, where that is whole and there is no offset; else 0

  InterfaceClock() = default;
  InterfaceClock(std::uint8_t resolution, std::int64_t offset_s) noexcept;

  /// Times before 1970 become 0, those past the year 2554 the greatest value.
  [[nodiscard]] std::uint64_t nanoseconds(std::uint64_t ticks) const noexcept {
    std::uint64_t result;
    if (factor != 0 && !__builtin_mul_overflow(ticks, factor, &result)) [[likely]]
      return result;
    return nanoseconds_of_any(ticks);
  }

private:
  [[nodiscard]] std::uint64_t nanoseconds_of_any(std::uint64_t ticks) const noexcept;
};

/// A simple packet block has no time: its frame gets that of the frame before it in the file. Packets of an interface
/// whose link type is not supported are skipped and counted; a file that has no others is an error.
class PcapngReader final : public CaptureReader {
public:
  /// `input` begins with a section header block. What is wrong with it shows when it is read.
  PcapngReader(std::unique_ptr<Input> input, std::uint32_t snap_length);

private:
  struct Interface {
    std::optional<LinkType> link;
    std::uint32_t number; // the link type's
    std::uint32_t snap_length;
    InterfaceClock clock;
  };
  struct Block {
    std::uint32_t type;
    const std::uint8_t* body;
    std::uint32_t body_octets;
  };
  enum class Step : std::uint8_t { frame, passed, stop };

  std::size_t take(std::span<Frame> out) noexcept override;
  std::string what_was_skipped() const override;

  template <bool swapped>
  Step step(Frame& frame) noexcept;
  template <bool swapped>
  [[nodiscard]] bool find_block(Block& block) noexcept;
  [[nodiscard]] bool pcap_begins() noexcept;
  template <bool swapped>
  Step begin_section(const Block& block) noexcept;
  template <bool swapped>
  Step add_interface(const Block& block) noexcept;
  template <bool swapped>
  Step enhanced_packet(const Block& block, Frame& frame) noexcept;
  template <bool swapped>
  Step simple_packet(const Block& block, Frame& frame) noexcept;
  template <bool swapped>
  Step obsolete_packet(const Block& block, Frame& frame) noexcept;
  Step packet(std::uint32_t interface, std::uint64_t ticks, std::uint32_t captured, std::uint32_t wire,
              Input::Octets room, Frame& frame) noexcept;
  void skip(std::uint32_t link) noexcept;
  Step refuse(std::string what) noexcept {
    fault(std::move(what));
    return Step::stop;
  }

  bool swapped_ = false;
  std::vector<Interface> interfaces_; // of the current section
  std::uint64_t last_time_ns_ = 0;
  std::array<std::uint32_t, 8> skipped_links_{}; // the first link types of packets skipped
  std::size_t skipped_link_count_ = 0;
};

} // namespace orbweaver
