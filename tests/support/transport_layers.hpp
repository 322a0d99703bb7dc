// SPDX-License-Identifier: GPL-3.0-or-later
// Transport headers of test packets: TCP (RFC 9293) with its options, UDP, UDP-Lite (RFC 3828), SCTP (RFC 9260).
#pragma once

#include "tests/support/packet.hpp"

namespace orbweaver::craft {

class Tcp {
public:
  Tcp(std::uint16_t source_port, std::uint16_t destination_port)
      : source_(source_port), destination_(destination_port) {}

  Tcp& seq(std::uint32_t number) { return seq_ = number, *this; }
  /// Sets the flag and the number.
  Tcp& ack(std::uint32_t number) { return ack_ = number, set(0x10); }
  Tcp& fin() { return set(0x01); }
  Tcp& syn() { return set(0x02); }
  Tcp& rst() { return set(0x04); }
  Tcp& psh() { return set(0x08); }
  Tcp& urg() { return set(0x20); }
  Tcp& ece() { return set(0x40); }
  Tcp& cwr() { return set(0x80); }
  /// All eight flag bits at once.
  Tcp& flags(std::uint8_t value) { return flags_ = value, *this; }
  Tcp& window(std::uint16_t value) { return window_ = value, *this; }
  /// In words of four octets, true or not.
  Tcp& data_offset(std::uint8_t words) { return data_offset_ = words, *this; }
  Tcp& checksum(std::uint16_t value) { return checksum_ = value, *this; }

  /// Options appear in the order of the calls; the list is padded with end-of-option-list bytes to a whole word.
  Tcp& raw_options(std::span<const std::uint8_t> bytes) { return append(options_, bytes), *this; }
  Tcp& option(std::uint8_t kind, std::span<const std::uint8_t> data);
  Tcp& nop() { return append_u8(options_, 1), *this; }
  Tcp& mss(std::uint16_t value);
  Tcp& window_scale(std::uint8_t shift);
  Tcp& sack_permitted() { return option(4, {}); }
  Tcp& timestamps(std::uint32_t value, std::uint32_t echo);
  /// RFC 7413; an empty cookie asks for one.
  Tcp& fast_open(std::span<const std::uint8_t> cookie = {}) { return option(34, cookie); }
  /// An experimental option (`kind` 254 or 255) with its two-byte experiment id (RFC 6994).
  Tcp& experiment(std::uint8_t kind, std::uint16_t id, std::span<const std::uint8_t> data = {});

  void prepend(Assembly& assembly) const;

private:
  Tcp& set(unsigned flag) {
    flags_ = static_cast<std::uint8_t>(flags_ | flag);
    return *this;
  }

  std::uint16_t source_;
  std::uint16_t destination_;
  std::uint32_t seq_ = 0;
  std::uint32_t ack_ = 0;
  std::uint8_t flags_ = 0;
  std::uint16_t window_ = 65535;
  Bytes options_;
  std::optional<std::uint8_t> data_offset_;
  std::optional<std::uint16_t> checksum_;
};

inline Tcp tcp(std::uint16_t source_port, std::uint16_t destination_port) {
  return {source_port, destination_port};
}

class Udp {
public:
  Udp(std::uint16_t source_port, std::uint16_t destination_port)
      : source_(source_port), destination_(destination_port) {}

  Udp& zero_checksum() { return checksum_ = 0, *this; }
  Udp& checksum(std::uint16_t value) { return checksum_ = value, *this; }
  /// What the header says, true or not.
  Udp& length(std::uint16_t octets) { return length_ = octets, *this; }

  void prepend(Assembly& assembly) const;

private:
  std::uint16_t source_;
  std::uint16_t destination_;
  std::optional<std::uint16_t> length_;
  std::optional<std::uint16_t> checksum_;
};

inline Udp udp(std::uint16_t source_port, std::uint16_t destination_port) {
  return {source_port, destination_port};
}

/// `coverage` is how many octets the checksum covers, header included: 0 is all, else at least 8.
struct UdpLite {
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint16_t coverage;
  void prepend(Assembly& assembly) const;
};

inline UdpLite udp_lite(std::uint16_t source_port, std::uint16_t destination_port, std::uint16_t coverage = 0) {
  return {source_port, destination_port, coverage};
}

/// The common header; chunks are its payload.
struct Sctp {
  std::uint16_t source_port;
  std::uint16_t destination_port;
  std::uint32_t verification_tag;
  void prepend(Assembly& assembly) const;
};

inline Sctp sctp(std::uint16_t source_port, std::uint16_t destination_port, std::uint32_t verification_tag = 1) {
  return {source_port, destination_port, verification_tag};
}

/// An SCTP chunk of one type (COOKIE ACK is 11, DATA is 0), padded to a whole word.
Payload sctp_chunk(std::uint8_t type, const Bytes& value = {}, std::uint8_t flags = 0);

} // namespace orbweaver::craft
