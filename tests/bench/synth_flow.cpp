// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/synth_flow.hpp"

#include <algorithm>

namespace orbweaver::synth {
namespace {

constexpr std::uint32_t link_mtu = 1500;
constexpr std::uint8_t ect0 = 2;
constexpr std::uint8_t ce = 3;

/// True for `percent` of all values of these 16 bits of a key.
bool chance(std::uint64_t bits, std::uint32_t percent) {
  return (bits & 0xffff) * 100 < std::uint64_t{percent} << 16;
}

Kind kind_of(std::uint64_t key) {
  struct Share {
    Kind kind;
    std::uint32_t percent;
  };
  // Percent of flows; where few packets are natural, the share of packets is far smaller.
  constexpr std::array shares{Share{Kind::tcp, 59},       Share{Kind::dns, 18}, Share{Kind::quic, 9},
                              Share{Kind::media, 5},      Share{Kind::echo, 5}, Share{Kind::sctp, 1},
                              Share{Kind::refused_udp, 3}};
  std::uint32_t draw = scale(key, 100);
  for (const Share& share : shares) {
    if (draw < share.percent)
      return share.kind;
    draw -= share.percent;
  }
  return Kind::tcp;
}

std::uint16_t server_port_of(Kind kind, std::uint64_t bits) {
  constexpr std::array<std::uint16_t, 8> tcp_ports{443, 443, 443, 443, 80, 80, 993, 8883};
  switch (kind) {
  case Kind::tcp:
    return tcp_ports[bits & 7];
  case Kind::dns:
    return 53;
  case Kind::quic:
    return 443;
  case Kind::media:
    return static_cast<std::uint16_t>(61000 + (bits & 0x3ff));
  case Kind::refused_udp:
    return 33434;
  case Kind::sctp:
    return 3868;
  case Kind::echo:
    break;
  }
  return 0;
}

std::uint32_t overhead(const Identity& flow) {
  const std::uint32_t ip = flow.ipv6 ? 40 : 20;
  return ip + (flow.kind == Kind::tcp ? 20U + (flow.timestamps ? 12U : 0U) : 8U);
}

/// Handshake, data one way and acknowledgements the other, and an end in order, by reset, or none.
void tcp_step(const Identity& flow, Progress& progress, Step& step) {
  using namespace tcp_flag;
  enum class Ending : std::uint8_t { fins, reset, none };
  const std::uint32_t fate = scale(mix(flow.key, 1), 100);
  const Ending ending = fate < 82 ? Ending::fins : fate < 92 ? Ending::reset : Ending::none;
  const std::uint32_t left = progress.size - step.index; // this one included
  const bool complete = progress.size >= 6;              // room for a handshake and an end in order

  if (step.index == 0) {
    step.tcp_flags = static_cast<std::uint8_t>(syn | (flow.ecn ? ece | cwr : 0));
  } else if (step.index == 1) {
    step.reverse = true;
    const bool refused = progress.size == 2;
    step.tcp_flags = static_cast<std::uint8_t>(refused ? rst | ack : syn | ack | (flow.ecn ? ece : 0));
  } else if (step.index == 2) {
    step.tcp_flags = ack;
  } else if (complete && ending == Ending::fins && left <= 3) {
    step.reverse = left != 2;
    step.tcp_flags = static_cast<std::uint8_t>(left == 1 ? ack : fin | ack);
  } else if (left == 1 && ending == Ending::reset) {
    step.tcp_flags = rst | ack;
  } else if (step.index == 3) {
    step.tcp_flags = psh | ack;
    step.payload_octets = 80 + scale(step.random, 500);
  } else {
    const std::uint32_t turn = scale(step.random, 100);
    const bool carries_data = turn < 64;
    step.reverse = carries_data != flow.upload;
    step.tcp_flags = static_cast<std::uint8_t>(ack | (!carries_data && flow.ecn && turn == 99 ? ece : 0));
    if (carries_data) {
      const bool last_of_burst = turn < 8;
      step.payload_octets = link_mtu - overhead(flow);
      if (last_of_burst) {
        step.payload_octets = 1 + scale(mix(step.random, 2), step.payload_octets);
        step.tcp_flags |= psh;
      }
      if (flow.ecn)
        step.traffic_class = turn == 63 ? ce : ect0;
    }
  }
  const std::size_t direction = step.reverse ? 1 : 0;
  step.seq = static_cast<std::uint32_t>(mix(flow.key, 10 + direction)) + progress.octets[direction];
  if ((step.tcp_flags & ack) != 0)
    step.ack = static_cast<std::uint32_t>(mix(flow.key, 11 - direction)) + progress.octets[1 - direction];
  const bool takes_number = (step.tcp_flags & (syn | fin)) != 0;
  progress.octets[direction] += step.payload_octets + (takes_number ? 1 : 0);
}

} // namespace

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a + 0x9e3779b97f4a7c15 * (b + 1);
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

Identity identify(std::uint64_t seed, std::uint32_t number) {
  constexpr std::uint32_t flows_of_client = 8;
  constexpr std::uint32_t first_ephemeral_port = 49152;
  constexpr std::uint32_t ports_of_flow = 2000;
  constexpr std::array<std::uint8_t, 8> code_points{8, 10, 18, 26, 34, 40, 46, 48};
  const std::uint64_t key = mix(seed, number);
  const std::uint64_t bits = mix(key, 100);
  const std::uint64_t more = mix(key, 101);

  Identity flow{};
  flow.key = key;
  flow.kind = kind_of(key);
  flow.ipv6 = chance(bits, 20);
  // Odd factors permute the numbers below 2^24, so that neighbours in time are not neighbours in address.
  flow.client = (number / flows_of_client * 0x9e3779b1U) & 0xffffff;
  flow.client_port = static_cast<std::uint16_t>(first_ephemeral_port + number % flows_of_client * ports_of_flow +
                                                scale(more, ports_of_flow));
  flow.server_port = server_port_of(flow.kind, bits >> 16);
  // Few servers are popular and many are not. A ping has no ports to tell flows apart, so it gets a target of its own.
  const std::uint32_t popularity = scale(more << 16, 1U << 16);
  flow.server = flow.kind == Kind::echo  ? (number * 0x85ebca6bU) & 0xffffff
                : flow.kind == Kind::dns ? popularity & 7
                                         : (popularity >> 8) * (popularity & 0xff);
  if (chance(bits >> 32, 12)) {
    flow.code_point[0] = code_points[(bits >> 20) & 7];
    flow.code_point[1] = (bits >> 24 & 1) != 0 ? flow.code_point[0] : std::uint8_t{0};
  }
  flow.ttl = {static_cast<std::uint8_t>((bits >> 25 & 1) != 0 ? 64 : 128),
              static_cast<std::uint8_t>(40 + (bits >> 26 & 15))};
  flow.timestamps = chance(bits >> 48, 70);
  flow.ecn = chance(more, 25);
  flow.upload = chance(more >> 8, 15);
  return flow;
}

SizeRange natural_size(const Identity& flow) {
  constexpr std::uint32_t largest = 50'000;
  constexpr std::uint32_t whole_connection = 7;
  switch (flow.kind) {
  case Kind::tcp:
    return {chance(mix(flow.key, 102), 65) ? whole_connection : 1, largest};
  case Kind::dns:
  case Kind::refused_udp:
    return {chance(mix(flow.key, 102), 85) ? 2U : 1U, 2};
  case Kind::echo:
    return {1, 20};
  case Kind::quic:
  case Kind::media:
  case Kind::sctp:
    break;
  }
  return {1, largest};
}

Step advance(const Identity& flow, Progress& progress) {
  Step step{};
  step.random = mix(flow.key, 1000 + std::uint64_t{progress.sent});
  step.index = progress.sent++;
  const bool odd = step.index % 2 == 1;
  switch (flow.kind) {
  case Kind::tcp:
    tcp_step(flow, progress, step);
    break;
  case Kind::quic:
    step.reverse = step.index == 1 || (step.index > 1 && scale(step.random, 100) < 64);
    step.payload_octets = step.index < 2 ? 1200 : step.reverse ? link_mtu - overhead(flow) - 20 : 33;
    step.traffic_class = flow.ecn ? ect0 : 0;
    break;
  case Kind::media:
    step.reverse = scale(step.random, 100) < 50 && step.index > 0;
    step.payload_octets = 60 + scale(mix(step.random, 3), 140);
    break;
  case Kind::refused_udp:
    step.reverse = odd;
    step.payload_octets = odd ? 0 : refused_payload_octets;
    break;
  case Kind::echo:
    step.reverse = odd;
    step.payload_octets = 56;
    break;
  case Kind::sctp:
    step.reverse = odd;
    step.payload_octets = 40 + 4 * scale(step.random, 30);
    break;
  case Kind::dns:
    step.reverse = odd;
    break;
  }
  const std::size_t direction = step.reverse ? 1 : 0;
  step.traffic_class = static_cast<std::uint8_t>(step.traffic_class | flow.code_point[direction] << 2);
  return step;
}

} // namespace orbweaver::synth
