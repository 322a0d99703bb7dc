// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what the fuzzers start from, made by the packet builder: a folder a fuzzer, a file an input. The first octets
// of each are what its fuzzer takes for options.
//
//     make-seeds FOLDER
#include "tests/support/capture_writer.hpp"
#include "tests/support/compress.hpp"
#include "tests/support/packet_builder.hpp"

#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace orbweaver::craft {
namespace {

constexpr std::int64_t start_ns = 1'700'000'000'000'000'000;
constexpr std::array<std::uint8_t, 4> address{192, 0, 2, 1};

class Seeds {
public:
  Seeds(const std::filesystem::path& folder, std::string_view fuzzer) : folder_(folder / fuzzer) {
    std::filesystem::create_directories(folder_);
  }

  void add(const std::string& name, Bytes start, const Bytes& rest) const {
    append(start, rest);
    save(folder_ / name, start);
  }

private:
  std::filesystem::path folder_;
};

/// Frames that take every way through the capture stage: handshake, name, fragments, error, and what is no IP.
std::vector<Bytes> frames() {
  const auto out = ethernet() / ipv4("10.0.0.1", "10.0.0.2");
  const auto back = ethernet() / ipv4("10.0.0.2", "10.0.0.1");
  return {
      out / tcp(1000, 80).syn().mss(1460),
      back / tcp(80, 1000).syn().ack(1),
      back / udp(53, 1000) / payload(dns_response(7, "example.org", address)),
      ethernet() / ipv6("2001:db8::1", "2001:db8::2") / udp(1000, 443) / payload("text"),
      ethernet() / ipv4("10.0.0.1", "10.0.0.2").id(3).fragment_offset(1480).protocol(17) / payload("data"),
      ethernet() / payload("no IP"),
  };
}

Bytes pcap_of(const PcapWriter::Options& options) {
  PcapWriter writer(options);
  for (const auto& frame : frames())
    writer.packet(start_ns, frame);
  return writer.bytes();
}

/// Every block and option that the reader looks at, and some that it passes over.
Bytes pcapng_of(std::endian order) {
  PcapngWriter writer;
  writer.section(order, true, {comment("a section")});
  writer.interface({.snap_length = 96, .options = {comment("microseconds")}});
  writer.interface({.time_resolution = 9, .time_offset_s = 10});
  writer.interface({.time_resolution = std::uint8_t{PcapngWriter::power_of_two | 20}});
  writer.name_resolution(address, "example.org").custom(1, to_bytes("data"));
  std::uint32_t interface = 0;
  for (const auto& frame : frames())
    writer.enhanced_packet(interface++ % 3, start_ns, frame, {}, {comment("a packet")});
  writer.simple_packet(frames().front()).obsolete_packet(1, start_ns, frames().back());
  writer.interface_statistics(0, start_ns, 6).end_section();
  return writer.bytes();
}

void write_captures(const std::filesystem::path& folder) {
  const Seeds seeds(folder, "fuzz_capture");
  const Bytes plain = pcap_of({});
  const Bytes blocks = pcapng_of(std::endian::little);
  seeds.add("pcap", {1}, plain);
  seeds.add("pcap-swapped-ns", {3}, pcap_of({.order = std::endian::big, .nanoseconds = true}));
  seeds.add("pcap-raw", {5}, pcap_of({.link_type = link_raw, .snap_length = 40}));
  seeds.add("pcapng", {1}, blocks);
  seeds.add("pcapng-swapped", {8}, pcapng_of(std::endian::big));
  for (const auto& [name, pack] : {std::pair{"gz", +[](const Bytes& octets) { return gzip(octets); }},
                                   {"bz2", +[](const Bytes& octets) { return bzip2(octets); }},
                                   {"xz", +[](const Bytes& octets) { return xz(octets); }},
                                   {"zst", +[](const Bytes& octets) { return zstd(octets); }},
                                   {"lz4", +[](const Bytes& octets) { return lz4(octets); }}}) {
    seeds.add(std::string("pcap-") + name, {1}, pack(plain));
    seeds.add(std::string("pcapng-") + name, {1}, pack(blocks));
  }
  for (const auto& [name, first, second] :
       {std::tuple{"pcap-pcap", plain, pcap_of({.link_type = link_raw, .order = std::endian::big})},
        {"pcap-pcapng", plain, blocks},
        {"pcapng-pcap", blocks, plain}}) {
    Bytes joined = first;
    append(joined, second);
    seeds.add(name, {1}, joined);
  }
  for (const std::uint8_t minor : {2, 3}) {
    Bytes old = plain;
    store_u16(old, 6, minor, std::endian::little);
    seeds.add("pcap-2." + std::to_string(minor), {1}, old);
  }
}

/// Records of ERF, as cards with and without colours write them, and with an extension header.
void write_libtrace_records(const std::filesystem::path& folder) {
  const Seeds seeds(folder, "fuzz_libtrace");
  const Bytes frame = frames().front();
  for (const std::uint8_t type : {1, 2, 11, 22, 0x82}) {
    Bytes record;
    append_u64(record, std::uint64_t{1'700'000'000} << 32, std::endian::little);
    append_u8(record, type);
    append_u8(record, 4);
    append_u16(record, 16 + frame.size());
    append_u16(record, 0);
    append_u16(record, frame.size());
    append(record, frame);
    seeds.add("erf-" + std::to_string(type), {2, 0}, record);
  }
  for (const std::uint8_t format : {0, 1, 3, 4, 5, 7, 8})
    seeds.add("zeros-" + std::to_string(format), {format, 0}, Bytes(128));
}

/// Tunnels and tags, each kind once, by the number that the fuzzer takes for Ethernet; and a frame of other link types.
void write_frames(const std::filesystem::path& folder) {
  const Seeds seeds(folder, "fuzz_dissector");
  const auto outer = ethernet() / ipv4("192.0.2.1", "192.0.2.2");
  const auto outer6 = ethernet() / ipv6("2001:db8::1", "2001:db8::2");
  const Packet inner = ipv4("10.0.0.1", "10.0.0.2") / tcp(1000, 80).syn();
  const Packet inner6 = ipv6("fd00::1", "fd00::2") / udp(1000, 53) / payload("text");
  const std::vector<Bytes> all{
      outer / inner,
      outer / inner6,
      outer6 / inner / zeros(3),
      outer / gre().key(7).sequence(1).checksum().routes(2) / inner,
      outer / pptp(6, true) / ppp() / inner,
      outer / gre().type(0x88be).sequence(1) / raw({0x10, 5, 0x10, 33, 0, 0, 0, 1}) / ethernet() / inner,
      outer / gre().type(0x22eb).sequence(1) / raw({0x20, 5, 0x10, 33, 0, 0, 0, 1, 0, 0, 0, 1}) / zeros(8) /
          ethernet() / inner,
      outer / udp(5, 4789) / vxlan(100) / ethernet() / vlan(5) / inner,
      outer / udp(5, 4790) / vxlan(3, 0x0c, 4) / service_header() / inner6,
      outer6 / udp(5, 6081) / geneve(7, 2) / ethernet() / inner,
      outer / udp(2152, 2152) / gtp(9).sequence().extension(1).extension(2) / inner,
      outer / udp(3544, 5) / raw({0, 1, 2, 3, 'i', 'd', 'a', 'u', 't', 1, 2, 3, 4, 5, 6, 7, 8, 0}) / inner6,
      outer / udp(1701, 1701) / l2tp(1, 2).with_length().numbered().offset(6) / ppp() / inner,
      outer / in_ip(115, {0, 0, 0, 7, 1, 2, 3, 4}) / ethernet() / inner,
      outer / in_ip(137) / mpls(5) / mpls(6) / inner,
      outer / in_ip(97, {0x30, 0}) / ethernet() / inner,
      ethernet() / ipv4("192.0.2.9", "192.0.2.1") /
          icmp_unreachable(1).quote(ipv4("192.0.2.1", "192.0.2.2") / gre().key(7) / inner),
      ethernet() / vn_tag() / e_tag() / metadata_tag() / macsec_tag() / inner,
      ethernet() / backbone_tag(5) / ethernet() / fabric_path_tag() / ethernet() / trill_header(1) / ethernet() / inner,
      ethernet() / mpls(5) / control_word() / ethernet() / inner,
      ethernet() / mpls(5) / ethernet() / inner6,
  };
  for (std::size_t place = 0; place < all.size(); ++place)
    for (const std::uint8_t first : {std::uint8_t{0x00}, std::uint8_t{0x80}}) {
      Bytes frame;
      append_u16(frame, all[place].size());
      append_u8(frame, 0);
      append(frame, all[place]);
      seeds.add("frame-" + std::to_string(first >> 7) + "-" + std::to_string(place), {first, 0xff, 0xff}, frame);
    }
  const std::vector<std::pair<std::uint8_t, Bytes>> others{
      {10, cisco_hdlc() / inner},
      {12, frame_relay(FrameRelay::Form::snap) / inner},
      {19, wireless().aggregated() / inner},
      {20, radiotap(0x30, 2) / wireless().quality().padded() / inner},
      {21, prism_header() / wireless() / inner},
      {22, avs_header() / wireless() / inner},
      {23, ppi_header(105) / wireless() / inner},
      {24, nflog(2) / inner},
      {25, pflog_header(2) / inner},
      {27, pktap_header(1) / ethernet() / inner},
      {28, juniper_header(0x81, {}, 6) / ethernet() / inner},
      {33, juniper_header(1, Bytes(8)) / ppp() / inner6},
  };
  for (const auto& [link, octets] : others) {
    Bytes frame;
    append_u16(frame, octets.size());
    append_u8(frame, 0);
    append(frame, octets);
    seeds.add("link-" + std::to_string(link), {link, 0xff, 0xff}, frame);
  }
}

void write_answers(const std::filesystem::path& folder) {
  const Seeds seeds(folder, "fuzz_answers");
  seeds.add("http", {0}, to_bytes("HTTP/1.1 200 OK\r\nServer: a\r\nX: 1\r\nx: \xe9\r\n folded\r\n\r\n"));
  seeds.add("http-twice", {0},
            to_bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nVia: \"b\"\r\n\r\nTrailer: 1\r\n"));
  seeds.add("dns", {1}, dns_response(7, "example.org", address));
  seeds.add("dns-no-name", {1}, dns_response(7, "example.org", address, 3));
  seeds.add("dns-other-name", {1}, dns_response(7, "example.com", address));
  seeds.add("dns-tcp", {1}, dns_over_tcp(dns_response(7, "example.org", address)));
  seeds.add("address", {2}, to_bytes("2001:db8::1\n"));
  seeds.add("address-json", {2}, to_bytes(R"({"ip":"192.0.2.1","asn":"AS64500","org":"AS64500 Example Net"})"));
}

} // namespace
} // namespace orbweaver::craft

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make-seeds FOLDER\n");
    return 2;
  }
  try {
    orbweaver::craft::write_captures(argv[1]);
    orbweaver::craft::write_libtrace_records(argv[1]);
    orbweaver::craft::write_frames(argv[1]);
    orbweaver::craft::write_answers(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make-seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
