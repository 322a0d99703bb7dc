// SPDX-License-Identifier: GPL-3.0-or-later
// Puts capture files together in memory, for tests: classic pcap, and pcapng with every block type that a reader may
// meet. Nothing is checked: a test may write what no capture program would.
#pragma once

#include "tests/support/bytes.hpp"

#include <optional>

namespace orbweaver::craft {

/// Link types, as numbered by https://www.tcpdump.org/linktypes.html.
enum LinkType : std::uint16_t {
  link_null = 0,
  link_ethernet = 1,
  link_ppp = 9,
  link_ppp_hdlc = 50,
  link_raw = 101,
  link_loop = 108,
  link_linux_sll = 113,
  link_ipv4 = 228,
  link_ipv6 = 229,
  link_linux_sll2 = 276,
};

/// A classic pcap file. Times are nanoseconds since the epoch, rounded down to what the file can say.
class PcapWriter {
public:
  struct Options {
    std::uint32_t link_type = link_ethernet;
    std::endian order = std::endian::little;
    bool nanoseconds = false;
    std::uint32_t snap_length = 262144; // frames are cut there
  };

  PcapWriter() : PcapWriter(Options()) {}
  explicit PcapWriter(const Options& options);

  /// `wire_length` is the frame's own length unless given.
  PcapWriter& packet(std::int64_t time_ns, const Bytes& frame, std::optional<std::uint32_t> wire_length = {});

  const Bytes& bytes() const { return bytes_; }

private:
  Options options_;
  Bytes bytes_;
};

/// A pcapng option: code and value; the writer pads it.
struct BlockOption {
  std::uint16_t code;
  Bytes value;
};
using BlockOptions = std::vector<BlockOption>;

BlockOption comment(std::string_view text);

/// A pcapng file (draft-ietf-opsawg-pcapng), block by block. Starts with no section.
class PcapngWriter {
public:
  static constexpr std::uint8_t power_of_two = 0x80; // in if_tsresol: 2^-n s, else 10^-n s

  struct Interface {
    std::uint16_t link_type = link_ethernet;
    std::uint32_t snap_length = 0;                 // 0: no limit
    std::optional<std::uint8_t> time_resolution{}; // if_tsresol; without it 6, microseconds
    std::optional<std::int64_t> time_offset_s{};   // if_tsoffset
    BlockOptions options{};
  };

  /// Begins a section in a byte order of its own. Its length is left unspecified (-1) unless `with_length`: then
  /// `end_section` fills it in.
  PcapngWriter& section(std::endian order = std::endian::little, bool with_length = false,
                        const BlockOptions& options = {});
  PcapngWriter& end_section();

  /// Interfaces are numbered from 0 in each section, in the order of these calls.
  PcapngWriter& interface(const Interface& description);

  /// Times are nanoseconds since the epoch, rounded down to the interface's resolution.
  PcapngWriter& enhanced_packet(std::uint32_t interface, std::int64_t time_ns, const Bytes& frame,
                                std::optional<std::uint32_t> wire_length = {}, const BlockOptions& options = {});
  /// Has no time and belongs to interface 0, whose snap length cuts it.
  PcapngWriter& simple_packet(const Bytes& frame, std::optional<std::uint32_t> wire_length = {});
  PcapngWriter& obsolete_packet(std::uint16_t interface, std::int64_t time_ns, const Bytes& frame,
                                std::optional<std::uint32_t> wire_length = {}, std::uint16_t drops = 0xffff);
  PcapngWriter& name_resolution(std::span<const std::uint8_t, 4> address, std::string_view name);
  PcapngWriter& interface_statistics(std::uint32_t interface, std::int64_t time_ns, std::uint64_t received);
  /// A custom block, of the kind that may be copied or of the other.
  PcapngWriter& custom(std::uint32_t enterprise, const Bytes& data, bool may_be_copied = true);
  /// Any block: its body is padded and framed by type and lengths.
  PcapngWriter& block(std::uint32_t type, Bytes body);

  const Bytes& bytes() const { return bytes_; }

private:
  std::uint64_t units_since_epoch(std::size_t interface, std::int64_t time_ns) const;
  void append_options(Bytes& body, const BlockOptions& options) const;
  void append_time(Bytes& body, std::size_t interface, std::int64_t time_ns) const;

  Bytes bytes_;
  std::endian order_ = std::endian::little;
  std::vector<Interface> interfaces_;     // of the current section
  std::optional<std::size_t> section_at_; // where it starts, when its length is to be filled in
  std::size_t section_body_at_ = 0;       // where its header block ends
};

} // namespace orbweaver::craft
