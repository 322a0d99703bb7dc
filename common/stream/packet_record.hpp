// SPDX-License-Identifier: GPL-3.0-or-later
// A packet as it crosses from capture to an observer: what the chains need, dissected, in host byte order.
// A plain IPv4 segment takes 64 octets, an IPv6 segment 88.
//
// The flow key is canonical: of the two endpoints (address, port) the lower one comes first, whichever sent the packet;
// PacketBits::from_high says that the sender was the second one. So both directions have equal keys and equal hashes.
#pragma once

#include "common/stream/record.hpp"

#include <cstdint>
#include <span>

namespace orbweaver {

/// The head of a flow key; the addresses follow it at the end of a PacketRecord. Compared as one 64-bit word.
struct FlowKeyHead {
  std::uint16_t ports[2]; ///< of the lower and the higher endpoint, host order; 0 where has_ports is 0
  std::uint8_t protocol;  ///< IANA protocol number, after IPv6 extension headers
  std::uint8_t version;   ///< 4 or 6
  std::uint8_t has_ports; ///< 1: the key has ports (TCP, UDP, SCTP, UDP-Lite), 0: a three-tuple
  std::uint8_t reserved;  ///< 0
};
static_assert(sizeof(FlowKeyHead) == 8);

namespace PacketBits {
inline constexpr std::uint8_t from_high = 0x01;     ///< sent by the key's second endpoint
inline constexpr std::uint8_t fragment = 0x02;      ///< a fragment, first or later
inline constexpr std::uint8_t evil = 0x04;          ///< the reserved bit of the IPv4 header (RFC 3514)
inline constexpr std::uint8_t zero_checksum = 0x08; ///< UDP: the checksum field is 0
inline constexpr std::uint8_t transport = 0x10;     ///< the transport header's fields below are valid (it was captured)
/// An ICMP error: the key is that of the quoted packet and the packet counts as sent by the quoted packet's receiver.
inline constexpr std::uint8_t icmp_error = 0x20;
} // namespace PacketBits

/// Kinds of raw bytes that chains can ask for; a packet stream's header holds the union of what was asked (bits).
namespace Need {
inline constexpr std::uint32_t none = 0;
inline constexpr std::uint32_t tcp_options = 1;    ///< the options of segments with SYN
inline constexpr std::uint32_t icmp_quotation = 2; ///< what follows the first 8 octets of an ICMP error
inline constexpr std::uint32_t dns_payload = 4;    ///< TCP and UDP payloads that may be a DNS response (dns_shape.hpp)
inline constexpr std::uint32_t all = 7;
} // namespace Need

/// After the fixed part: the addresses (2 × 4 or 2 × 16 octets, network order, lower endpoint first), then
/// `options_length` octets of TCP options, then `raw_length` octets of quotation or payload.
struct PacketRecord {
  RecordHeader header;
  std::uint64_t time_ns;   ///< since the epoch
  std::uint64_t flow_hash; ///< XXH3 of the key, keyed for the session
  FlowKeyHead key;
  std::uint32_t ip_length; ///< octets of the datagram by its length field; wire length less link header where that is 0
  std::uint32_t payload_length;  ///< octets of transport payload by the length fields, however much was captured
  std::uint32_t sequence;        ///< TCP
  std::uint32_t acknowledgement; ///< TCP
  std::uint8_t traffic_class;    ///< IPv4 TOS or IPv6 traffic class: DSCP << 2 | ECN
  std::uint8_t ttl;              ///< or hop limit
  union {
    std::uint8_t tcp_flags; ///< TCP: CWR … FIN
    std::uint8_t icmp_code; ///< ICMP
  };
  std::uint8_t bits;           ///< PacketBits
  std::uint8_t icmp_type;      ///< ICMP
  std::uint8_t options_length; ///< octets of TCP options carried, 0–40
  std::uint16_t raw_length;    ///< octets of quotation or payload carried
};
static_assert(sizeof(PacketRecord) == 56);

/// The largest packet record: IPv6 addresses, all options and 65,535 octets of payload.
inline constexpr std::uint32_t max_packet_record_bytes = sizeof(PacketRecord) + 32 + 40 + 65'535;

/// Octets of both addresses of a key of that IP version.
[[nodiscard]] constexpr std::uint32_t addresses_length(std::uint8_t version) noexcept {
  return version == 6 ? 32 : 8;
}

/// A packet record where it lies, with its variable part. Cheap to copy; valid until the record is released.
class PacketView {
public:
  explicit PacketView(const PacketRecord* record) noexcept : record_(record) {}

  const PacketRecord* operator->() const noexcept { return record_; }
  [[nodiscard]] const PacketRecord& record() const noexcept { return *record_; }

  [[nodiscard]] bool from_high() const noexcept { return record_->bits & PacketBits::from_high; }
  [[nodiscard]] bool is_icmp_error() const noexcept { return record_->bits & PacketBits::icmp_error; }
  /// The transport header was captured: flags, numbers, type and checksum bit say something.
  [[nodiscard]] bool has_transport() const noexcept { return record_->bits & PacketBits::transport; }

  /// Both addresses, lower endpoint first, network order.
  [[nodiscard]] const std::uint8_t* addresses() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(record_ + 1);
  }
  /// The TCP options carried: of a SYN, where a chain asked for them; may be cut short by the snap length.
  [[nodiscard]] std::span<const std::uint8_t> tcp_options() const noexcept {
    return {addresses() + addresses_length(record_->key.version), record_->options_length};
  }
  /// The payload or quotation carried, where a chain asked for it.
  [[nodiscard]] std::span<const std::uint8_t> raw() const noexcept {
    return {addresses() + addresses_length(record_->key.version) + record_->options_length, record_->raw_length};
  }

private:
  const PacketRecord* record_;
};

/// Octets that the record must have by its own fields.
[[nodiscard]] constexpr std::uint32_t packet_record_length(const PacketRecord& record) noexcept {
  return static_cast<std::uint32_t>(sizeof(PacketRecord)) + addresses_length(record.key.version) +
         record.options_length + record.raw_length;
}

/// Whether a record of kind `packet` is what its fields say: for a consumer, which trusts nothing.
[[nodiscard]] inline bool packet_record_valid(const RecordHeader* header) noexcept {
  if (header->length < sizeof(PacketRecord))
    return false;
  const auto& record = *reinterpret_cast<const PacketRecord*>(header);
  return (record.key.version == 4 || record.key.version == 6) && header->length == packet_record_length(record);
}

} // namespace orbweaver
