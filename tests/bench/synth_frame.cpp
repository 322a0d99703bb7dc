// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/synth_frame.hpp"

#include "tests/support/bytes.hpp"
#include "tests/support/dns_message.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace orbweaver::synth {
namespace {

constexpr std::uint8_t protocol_icmp = 1;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t protocol_icmp6 = 58;
constexpr std::uint8_t protocol_sctp = 132;

void put8(std::uint8_t*& at, std::uint32_t value) {
  *at++ = static_cast<std::uint8_t>(value);
}

void put16(std::uint8_t*& at, std::uint32_t value) {
  put8(at, value >> 8);
  put8(at, value);
}

void put32(std::uint8_t*& at, std::uint32_t value) {
  put16(at, value >> 16);
  put16(at, value);
}

void put_bytes(std::uint8_t*& at, std::span<const std::uint8_t> bytes) {
  if (!bytes.empty())
    std::memcpy(at, bytes.data(), bytes.size());
  at += bytes.size();
}

/// One's complement sum of 16-bit words in the order in which they lie in memory (RFC 1071, section 2 (B)).
std::uint64_t sum_words(const std::uint8_t* bytes, std::size_t count) {
  std::uint64_t sum = 0;
  for (; count >= 4; count -= 4, bytes += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes, 4);
    sum += word;
  }
  std::uint32_t rest = 0;
  std::memcpy(&rest, bytes, count);
  return sum + rest;
}

std::uint16_t fold(std::uint64_t sum) {
  while (sum > 0xffff)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t in_memory_order(std::uint32_t value) {
  return std::endian::native == std::endian::little ? (value & 0xff) << 8 | (value >> 8 & 0xff) : value;
}

void store_checksum(std::uint8_t* at, std::uint16_t checksum) {
  std::memcpy(at, &checksum, 2);
}

std::uint8_t ip_protocol(const Identity& flow, const Step& step) {
  switch (flow.kind) {
  case Kind::tcp:
    return protocol_tcp;
  case Kind::sctp:
    return protocol_sctp;
  case Kind::echo:
    return flow.ipv6 ? protocol_icmp6 : protocol_icmp;
  case Kind::refused_udp:
    if (step.reverse)
      return flow.ipv6 ? protocol_icmp6 : protocol_icmp;
    return protocol_udp;
  default:
    return protocol_udp;
  }
}

void put_address(std::uint8_t*& at, const Identity& flow, bool server) {
  const std::uint32_t host = server ? flow.server : flow.client;
  const std::uint32_t network = server ? (flow.kind == Kind::echo ? 45U : 23U) : 10U;
  if (flow.ipv6) {
    put32(at, 0x20010db8);
    put32(at, network << 16);
    put32(at, 0);
  }
  put32(at, network << 24 | host);
}

/// Puts the IP header; its length field and IPv4's checksum are for `finish_ip`.
void put_ip(std::uint8_t*& at, const Identity& flow, const Step& step) {
  constexpr std::uint32_t dont_fragment = 0x4000;
  const std::uint8_t ttl = flow.ttl[step.reverse ? 1 : 0];
  if (flow.ipv6) {
    put32(at, 6U << 28 | std::uint32_t{step.traffic_class} << 20 | static_cast<std::uint32_t>(flow.key & 0xfffff));
    put16(at, 0);
    put8(at, ip_protocol(flow, step));
    put8(at, ttl);
  } else {
    put8(at, 0x45);
    put8(at, step.traffic_class);
    put16(at, 0);
    put16(at, static_cast<std::uint32_t>(flow.key + step.index));
    put16(at, flow.kind == Kind::tcp ? dont_fragment : 0);
    put8(at, ttl);
    put8(at, ip_protocol(flow, step));
    put16(at, 0);
  }
  put_address(at, flow, step.reverse);
  put_address(at, flow, !step.reverse);
}

std::size_t ip_header_octets(const Identity& flow) {
  return flow.ipv6 ? 40 : 20;
}

void finish_ip(std::uint8_t* ip, const Identity& flow, std::size_t content_octets) {
  std::uint8_t* length = ip + (flow.ipv6 ? 4 : 2);
  put16(length, static_cast<std::uint32_t>(flow.ipv6 ? content_octets : content_octets + 20));
  if (!flow.ipv6)
    store_checksum(ip + 10, fold(sum_words(ip, 20)));
}

/// The sum of the pseudo-header; the IP header at `ip` has its addresses.
std::uint64_t sum_pseudo_header(const std::uint8_t* ip, bool ipv6, std::uint8_t protocol, std::size_t octets) {
  const std::uint64_t addresses = ipv6 ? sum_words(ip + 8, 32) : sum_words(ip + 12, 8);
  return addresses + in_memory_order(protocol) + in_memory_order(static_cast<std::uint32_t>(octets));
}

void put_tcp(std::uint8_t*& at, const Identity& flow, const Step& step, std::uint64_t time_us) {
  const bool syn = (step.tcp_flags & tcp_flag::syn) != 0;
  const bool rst = (step.tcp_flags & tcp_flag::rst) != 0;
  const bool timestamps = flow.timestamps && !rst;
  const std::uint32_t option_words = syn ? (timestamps ? 6 : 3) : (timestamps ? 3 : 0);
  put16(at, step.reverse ? flow.server_port : flow.client_port);
  put16(at, step.reverse ? flow.client_port : flow.server_port);
  put32(at, step.seq);
  put32(at, step.ack);
  put8(at, (5 + option_words) << 4);
  put8(at, step.tcp_flags);
  put16(at, rst ? 0 : 501 + scale(step.random << 8, 1500));
  put32(at, 0); // checksum, urgent pointer
  if (syn) {
    put32(at, 0x02040000 | (flow.ipv6 ? 1440 : 1460)); // MSS
    put32(at, 0x01030307);                             // window scale
    put32(at, 0x01010402);                             // SACK permitted
  }
  if (timestamps) {
    const auto now_ms = static_cast<std::uint32_t>(time_us / 1000);
    put32(at, 0x0101080a);
    put32(at, static_cast<std::uint32_t>(flow.key >> (step.reverse ? 32 : 8)) + now_ms);
    put32(at, step.index == 0 ? 0 : static_cast<std::uint32_t>(flow.key >> (step.reverse ? 8 : 32)) + now_ms - 1);
  }
}

void put_sctp_chunks(std::uint8_t*& at, const Identity& flow, const Step& step) {
  const auto tag = static_cast<std::uint32_t>(flow.key >> (step.reverse ? 8 : 16)) | 1U;
  const auto initial_tsn = static_cast<std::uint32_t>(flow.key >> 4);
  if (step.index < 2) { // INIT, INIT ACK
    put16(at, step.index == 0 ? 0x0100 : 0x0200);
    put16(at, step.index == 0 ? 20 : 28);
    put32(at, tag);
    put32(at, 106496); // receiver window
    put32(at, 0x000a000a);
    put32(at, initial_tsn);
    if (step.index == 1) { // state cookie
      put32(at, 0x00070008);
      put32(at, tag);
    }
  } else if (step.index == 2) { // COOKIE ECHO
    put32(at, 0x0a000008);
    put32(at, tag);
  } else if (step.index == 3) { // COOKIE ACK
    put32(at, 0x0b000004);
  } else if (step.reverse) { // SACK
    put32(at, 0x03000010);
    put32(at, initial_tsn + (step.index - 5) / 2);
    put32(at, 106496);
    put32(at, 0);
  } else { // DATA, a whole message
    put16(at, 0x0003);
    put16(at, 16 + step.payload_octets);
    put32(at, initial_tsn + (step.index - 4) / 2);
    put32(at, (step.index - 4) / 2 & 0xffff);
    put32(at, 0);
    at += step.payload_octets;
  }
}

/// Puts the SCTP header and chunks; CRC-32C has no regard for zeros, so these messages are short.
void put_sctp(std::uint8_t*& at, const Identity& flow, const Step& step) {
  std::uint8_t* const header = at;
  put16(at, step.reverse ? flow.server_port : flow.client_port);
  put16(at, step.reverse ? flow.client_port : flow.server_port);
  // Each end sends the tag that the other one chose.
  put32(at, step.index == 0 ? 0 : static_cast<std::uint32_t>(flow.key >> (step.reverse ? 16 : 8)) | 1U);
  put32(at, 0);
  put_sctp_chunks(at, flow, step);
  const std::uint32_t crc = craft::crc32c({header, at});
  for (unsigned i = 0; i < 4; ++i)
    header[8 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
}

craft::Bytes dns_message(const Identity& flow, const Step& step) {
  constexpr std::array<std::uint8_t, 4> address{192, 0, 2, 1};
  const auto id = static_cast<std::uint16_t>(flow.key + step.index / 2);
  const std::string name = "www" + std::to_string(scale(flow.key << 4, 5000)) + ".example.com";
  return step.reverse ? craft::dns_response(id, name, address) : craft::dns_query(id, name);
}

/// Port unreachable (checksum left open), quoting all of the flow's datagram before.
void put_icmp_error(std::uint8_t*& at, const Identity& flow, const Step& step) {
  Step refused = step;
  refused.reverse = false;
  refused.index = step.index - 1;
  refused.payload_octets = refused_payload_octets;
  refused.traffic_class = static_cast<std::uint8_t>(flow.code_point[0] << 2);
  FrameEncoder encoder;
  put16(at, flow.ipv6 ? 0x0104 : 0x0303);
  at += 6;
  put_bytes(at, encoder.encode(flow, refused, 0).subspan(ethernet_octets));
}

} // namespace

/// Writes what follows the IP header; returns its octets, zeros of the payload included.
std::size_t FrameEncoder::write_transport(const Identity& flow, const Step& step, std::uint64_t time_us,
                                          std::uint8_t* out) {
  const std::uint8_t* const ip = out - ip_header_octets(flow);
  const std::uint8_t protocol = ip_protocol(flow, step);
  std::uint8_t* at = out;
  std::size_t octets = 0;
  std::uint8_t* checksum = nullptr;
  if (flow.kind == Kind::refused_udp && step.reverse) {
    put_icmp_error(at, flow, step);
    octets = static_cast<std::size_t>(at - out);
    checksum = out + 2;
  } else if (protocol == protocol_tcp) {
    put_tcp(at, flow, step, time_us);
    octets = static_cast<std::size_t>(at - out) + step.payload_octets;
    checksum = out + 16;
  } else if (protocol == protocol_sctp) {
    put_sctp(at, flow, step);
    octets = static_cast<std::size_t>(at - out);
  } else if (protocol == protocol_udp) {
    at += 8;
    if (flow.kind == Kind::dns)
      put_bytes(at, dns_message(flow, step));
    else if (flow.kind == Kind::quic)
      put8(at, 0x40 | (step.random & 0x3f)); // a short header
    octets = std::max<std::size_t>(static_cast<std::size_t>(at - out), 8 + step.payload_octets);
    std::uint8_t* header = out;
    put16(header, step.reverse ? flow.server_port : flow.client_port);
    put16(header, step.reverse ? flow.client_port : flow.server_port);
    put16(header, static_cast<std::uint32_t>(octets));
    const bool without_checksum = flow.kind == Kind::media && !flow.ipv6 && flow.upload;
    checksum = without_checksum ? nullptr : out + 6;
  } else {
    const bool reply = step.reverse;
    put8(at, flow.ipv6 ? (reply ? 129 : 128) : (reply ? 0 : 8));
    at += 3;
    put16(at, flow.client_port);
    put16(at, step.index / 2 + 1);
    octets = static_cast<std::size_t>(at - out) + step.payload_octets;
    checksum = out + 2;
  }
  const auto written = static_cast<std::size_t>(at - out);
  dirty_ = static_cast<std::size_t>(at - frame_.data());
  if (checksum != nullptr) {
    const std::uint64_t pseudo = protocol == protocol_icmp ? 0 : sum_pseudo_header(ip, flow.ipv6, protocol, octets);
    const std::uint16_t sum = fold(pseudo + sum_words(out, written));
    store_checksum(checksum, protocol == protocol_udp && sum == 0 ? std::uint16_t{0xffff} : sum);
  }
  return octets;
}

std::span<const std::uint8_t> FrameEncoder::encode(const Identity& flow, const Step& step, std::uint64_t time_us) {
  constexpr std::array<std::uint8_t, 6> inside{2, 0, 0, 0, 0, 1};
  constexpr std::array<std::uint8_t, 6> outside{2, 0, 0, 0, 0, 2};
  std::memset(frame_.data(), 0, dirty_);
  std::uint8_t* at = frame_.data();
  put_bytes(at, step.reverse ? inside : outside);
  put_bytes(at, step.reverse ? outside : inside);
  put16(at, flow.ipv6 ? 0x86dd : 0x0800);
  std::uint8_t* const ip = at;
  put_ip(at, flow, step);
  const std::size_t content = write_transport(flow, step, time_us, at);
  finish_ip(ip, flow, content);
  return {frame_.data(), ethernet_octets + ip_header_octets(flow) + content};
}

} // namespace orbweaver::synth
