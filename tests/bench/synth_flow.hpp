// SPDX-License-Identifier: GPL-3.0-or-later
// The flows of the synthetic capture: who talks to whom, and what the i-th packet of a conversation is.
//
// All that a flow is follows from the seed and its number, so that only its progress is kept: ten million of them fit
// in a few hundred megabytes.
#pragma once

#include <array>
#include <cstdint>

namespace orbweaver::synth {

/// A well-mixed 64-bit number that depends on nothing but its arguments.
std::uint64_t mix(std::uint64_t a, std::uint64_t b);

/// `value` brought from 64 bits to 0 … bound - 1.
inline std::uint32_t scale(std::uint64_t value, std::uint32_t bound) {
  return static_cast<std::uint32_t>(((value >> 32) * bound) >> 32);
}

enum class Kind : std::uint8_t { tcp, dns, quic, media, refused_udp, echo, sctp };

/// What stays the same for all packets of a flow. Forward is from client to server.
struct Identity {
  std::uint64_t key; // source of all its randomness
  Kind kind;
  bool ipv6;
  std::uint32_t client; // unique for each (client, client_port)
  std::uint32_t server;
  std::uint16_t client_port;
  std::uint16_t server_port;
  std::array<std::uint8_t, 2> code_point; // forward, reverse
  std::array<std::uint8_t, 2> ttl;        // forward, reverse
  // TCP
  bool timestamps;
  bool ecn;
  bool upload;
};

Identity identify(std::uint64_t seed, std::uint32_t number);

/// The payload of a datagram that gets a port unreachable for an answer.
constexpr std::uint32_t refused_payload_octets = 32;

/// How many packets are natural for a flow.
struct SizeRange {
  std::uint32_t shortest;
  std::uint32_t longest;
};

/// By kind; most TCP flows have room for a handshake, data and an end in order, the others are scans and refusals.
SizeRange natural_size(const Identity& flow);

/// How far a flow is.
struct Progress {
  std::uint32_t number = 0;
  std::uint32_t size = 0;                // packets in all
  std::uint32_t sent = 0;                // packets so far
  std::array<std::uint32_t, 2> octets{}; // sequence space used so far: forward, reverse
  std::uint32_t gap_us = 0;              // mean time between two packets
};

/// One packet of a flow, before it is bytes.
struct Step {
  std::uint64_t random;
  bool reverse;
  std::uint8_t traffic_class;
  std::uint8_t tcp_flags;
  std::uint32_t index;          // among the flow's packets, from 0
  std::uint32_t seq;            // TCP
  std::uint32_t ack;            // TCP
  std::uint32_t payload_octets; // after the transport header and its options
};

/// The next packet; moves the progress on.
Step advance(const Identity& flow, Progress& progress);

namespace tcp_flag {
constexpr std::uint8_t fin = 0x01;
constexpr std::uint8_t syn = 0x02;
constexpr std::uint8_t rst = 0x04;
constexpr std::uint8_t psh = 0x08;
constexpr std::uint8_t ack = 0x10;
constexpr std::uint8_t ece = 0x40;
constexpr std::uint8_t cwr = 0x80;
} // namespace tcp_flag

} // namespace orbweaver::synth
