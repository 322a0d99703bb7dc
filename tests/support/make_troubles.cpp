// SPDX-License-Identifier: GPL-3.0-or-later
// Writes tests/data/troubles.pcap: one of each trouble that a flow meter must stand, in the order of
// tests/data/README.md, which says what it must make of them.
//
//     make-troubles FILE            writes it
//     make-troubles --check FILE    exits with 1 where FILE is not what would be written
#include "tests/support/capture_writer.hpp"
#include "tests/support/packet_builder.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

namespace orbweaver::craft {
namespace {

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t start_ns = 1'700'000'000 * ns_per_s;
constexpr std::int64_t year_ns = 365 * 86400 * ns_per_s;

/// The capture and its clock. Each trouble begins on a second of its own, its packets are 10 ms apart.
class Troubles {
public:
  void next_trouble(std::int64_t pause_ns = ns_per_s) { now_ns_ = (now_ns_ / ns_per_s) * ns_per_s + pause_ns; }

  void wait(std::int64_t time_ns) { now_ns_ += time_ns; }

  void add(const Packet& datagram) { add_frame(ethernet() / datagram); }

  void add_frame(const Packet& frame) {
    capture_.packet(now_ns_, frame);
    now_ns_ += 10 * ns_per_ms;
  }

  const Bytes& bytes() const { return capture_.bytes(); }

private:
  PcapWriter capture_;
  std::int64_t now_ns_ = start_ns - ns_per_s;
};

void option_of_length_zero(Troubles& out) {
  const Bytes endless{8, 0, 8, 0};
  out.next_trouble();
  out.add(ipv4("10.0.1.1", "10.0.1.2") / tcp(1001, 80).seq(100).syn().mss(1460).raw_options(endless));
}

void option_kind_in_last_byte(Troubles& out) {
  const Bytes kind_alone{1, 1, 1, 2};
  out.next_trouble();
  out.add(ipv4("10.0.2.1", "10.0.2.2") /
          tcp(1002, 80).seq(100).syn().sack_permitted().nop().nop().raw_options(kind_alone));
}

void lone_later_fragment(Troubles& out) {
  out.next_trouble();
  out.add(ipv4("10.0.3.1", "10.0.3.2").id(3).fragment_offset(1480).protocol(17) / payload("data, and not ports"));
}

void fragments_out_of_order(Troubles& out) {
  const Packet message = udp(1004, 4004) / zeros(60);
  const Packet in_ipv4 = ipv4("10.0.4.1", "10.0.4.2").id(4) / message;
  const Packet in_ipv6 = ipv6("2001:db8:4::1", "2001:db8:4::2") / message;
  out.next_trouble();
  for (const Bytes& datagram : {in_ipv4.bytes(), in_ipv6.bytes()}) {
    const auto parts = fragments_of(datagram, 24, 4);
    for (auto part = parts.rbegin(); part != parts.rend(); ++part)
      out.add(*part);
  }
}

void error_for_unseen_flow(Troubles& out) {
  const Packet unseen = ipv4("10.0.5.1", "10.0.5.2").id(5) / udp(1005, 5005) / zeros(32);
  out.next_trouble();
  out.add(ipv4("10.0.5.254", "10.0.5.1").traffic_class(0xc0) / icmp_unreachable(3).quote(unseen, 28));
}

void quotation_cut_short(Troubles& out) {
  const Packet ports_left = ipv4("10.0.6.1", "10.0.6.2").id(6) / tcp(1006, 80).seq(1).syn();
  const Packet no_ports_left = ipv4("10.0.6.3", "10.0.6.4").id(6) / tcp(1006, 80).seq(1).syn();
  const Packet header_cut = ipv4("10.0.6.5", "10.0.6.6").id(6) / tcp(1006, 80).seq(1).syn();
  out.next_trouble();
  out.add(ipv4("10.0.6.254", "10.0.6.1") / icmp_unreachable(1).quote(ports_left, 24));
  out.add(ipv4("10.0.6.254", "10.0.6.3") / icmp_unreachable(1).quote(no_ports_left, 22));
  out.add(ipv4("10.0.6.254", "10.0.6.5") / icmp_unreachable(1).quote(header_cut, 12));
}

void double_tagged(Troubles& out) {
  out.next_trouble();
  out.add_frame(ethernet() / service_vlan(100) / vlan(7) / ipv4("10.0.7.1", "10.0.7.2") / udp(1007, 7007) / zeros(8));
}

void labelled(Troubles& out) {
  out.next_trouble();
  out.add_frame(ethernet() / mpls(10008) / mpls(20008) / ipv4("10.0.8.1", "10.0.8.2") / udp(1008, 8008) / zeros(8));
}

/// Each extension header by itself, then all those that may stand before a transport header in one datagram.
void every_extension_header(Troubles& out) {
  const Ipv6 ip = ipv6("2001:db8:9::1", "2001:db8:9::2");
  std::uint16_t source_port = 1090;
  const auto message = [&source_port] { return udp(source_port++, 9009) / zeros(8); };
  out.next_trouble();
  out.add(ip / hop_by_hop() / message());
  out.add(ip / routing() / message());
  out.add(ip / fragment(0, false, 9) / message());
  out.add(ip / destination_options() / message());
  out.add(ip / authentication() / message());
  out.add(ip / mobility() / message());
  out.add(ip / hip() / message());
  out.add(ip / shim6() / message());
  out.add(ip / hop_by_hop() / destination_options() / routing() / fragment(0, false, 9) / authentication() /
          destination_options() / mobility() / hip() / shim6() / message());
  out.add(ip / esp() / zeros(24));
  out.add(ip / no_next_header() / zeros(8));
}

void year_ahead_and_back(Troubles& out) {
  const Packet early = ipv4("10.0.10.1", "10.0.10.2") / udp(1010, 10010) / zeros(8);
  const Packet late = ipv4("10.0.10.3", "10.0.10.4") / udp(1010, 10010) / zeros(8);
  out.next_trouble();
  out.add(early);
  out.wait(year_ns);
  out.add(late);
  out.wait(-year_ns);
  out.add(early);
  out.wait(year_ns); // what follows is in the new time
}

void total_length_zero(Troubles& out) {
  out.next_trouble(60 * ns_per_s);
  out.add(ipv4("10.0.11.1", "10.0.11.2").total_length(0) / tcp(1011, 80).seq(1).ack(1).psh() / zeros(100));
}

void two_connections_on_one_five_tuple(Troubles& out) {
  const Ipv4 there = ipv4("10.0.12.1", "10.0.12.2");
  const Ipv4 back = ipv4("10.0.12.2", "10.0.12.1");
  const Tcp client = tcp(1012, 80);
  const Tcp server = tcp(80, 1012);
  const auto connection = [&](std::uint32_t client_seq, std::uint32_t server_seq) {
    out.add(there / Tcp(client).seq(client_seq).syn());
    out.add(back / Tcp(server).seq(server_seq).syn().ack(client_seq + 1));
    out.add(there / Tcp(client).seq(client_seq + 1).ack(server_seq + 1));
    out.add(there / Tcp(client).seq(client_seq + 1).ack(server_seq + 1).fin());
    out.add(back / Tcp(server).seq(server_seq + 1).ack(client_seq + 2).fin());
    out.add(there / Tcp(client).seq(client_seq + 2).ack(server_seq + 2));
  };
  out.next_trouble();
  connection(1000, 2000);
  out.wait(2 * ns_per_s);
  connection(500'000, 600'000);
  out.wait(10 * ns_per_s);
  out.add(there / Tcp(client).seq(900'000).syn());
}

Bytes troubles() {
  Troubles out;
  option_of_length_zero(out);
  option_kind_in_last_byte(out);
  lone_later_fragment(out);
  fragments_out_of_order(out);
  error_for_unseen_flow(out);
  quotation_cut_short(out);
  double_tagged(out);
  labelled(out);
  every_extension_header(out);
  year_ahead_and_back(out);
  total_length_zero(out);
  two_connections_on_one_five_tuple(out);
  return out.bytes();
}

int check(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "make-troubles: cannot read %s\n", path);
    return 1;
  }
  const Bytes found{std::istreambuf_iterator<char>(file), {}};
  const Bytes expected = troubles();
  if (found == expected)
    return 0;
  const auto difference = std::mismatch(found.begin(), found.end(), expected.begin(), expected.end()).first;
  std::fprintf(stderr, "make-troubles: %s (%zu bytes) differs at byte %td from what would be written (%zu bytes)\n",
               path, found.size(), difference - found.begin(), expected.size());
  return 1;
}

int run(int argc, char** argv) {
  if (argc == 2) {
    save(argv[1], troubles());
    return 0;
  }
  if (argc == 3 && std::string_view(argv[1]) == "--check")
    return check(argv[2]);
  std::fprintf(stderr, "usage: make-troubles [--check] FILE\n");
  return 2;
}

} // namespace
} // namespace orbweaver::craft

int main(int argc, char** argv) {
  try {
    return orbweaver::craft::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make-troubles: %s\n", error.what());
    return 1;
  }
}
