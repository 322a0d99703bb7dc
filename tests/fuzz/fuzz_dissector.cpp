// SPDX-License-Identifier: GPL-3.0-or-later
// Fuzzes the dissector and the fragment cache: whatever a frame holds, the record is sound, nothing outside of the
// frame is read, and where the short way takes a frame its record is that of the long way. With the uppermost bit of
// the link type all tunnels are taken off, and the key has all that it may have. Input: link type, two octets of needs,
// then frames, each after two octets of length and one of seconds.
#include "capture/dissect/dissector.hpp"
#include "capture/dissect/flow_hash.hpp"
#include "capture/dissect/fragments.hpp"
#include "capture/dissect/frame_dissector.hpp"
#include "capture/dissect/plain_packet.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace {

using namespace orbweaver;

void require(bool holds) {
  if (!holds)
    std::abort();
}

/// What the blocks say can be, and only packets that can have a block have it.
void check_blocks(PacketView packet) {
  const bool tcp = packet->key.protocol == 6 && packet.has_transport() && !packet.is_icmp_error();
  require(!packet.flow_label() || (packet->key.version == 6 && *packet.flow_label() <= 0xf'ffff));
  require(packet.icmp_sender().empty() || packet.is_icmp_error());
  require(packet.quotation().empty() || (packet.is_icmp_error() && packet.icmp_rest()));
  require(packet.tcp_options().empty() || tcp);
  require(packet.tcp_options().size() <= max_tcp_options);
  require((packet.payload_kind() == 0) == packet.payload().empty());
  require(packet.payload().size() <= packet->payload_length);
  require(packet.vlan_tags().size() <= max_vlan_tags);
  require(!tcp || packet->tcp_flags <= (TCP_AE | 0xff));
  require(packet->key.version == 4 || (packet->ip_id == 0 && !(packet->bits & PacketBits::dont_fragment)));
}

/// The lower endpoint comes first, and no record says what cannot be.
void check_record(const PacketDraft& draft) {
  const PacketRecord& record = draft.record;
  require(record.key.version == 4 || record.key.version == 6);
  const std::size_t length = addresses_length(record.key.version) / 2;
  const int order = std::memcmp(draft.addresses, draft.addresses + length, length);
  require(order < 0 || (order == 0 && record.key.ports[0] <= record.key.ports[1]));
  require(record.key.has_ports <= 1 && record.key.extended <= 1);
  require(record.key.has_ports == protocol_has_ports(record.key.protocol) || record.key.has_ports == 0);
  require(record.key.has_ports || record.key.ports[0] == record.key.ports[1]); // an ICMP identifier, or 0
  require(record.payload_length <= record.ip_length);
  require(record.header.length == draft.length() && record.header.length <= max_packet_record_bytes);
  std::vector<std::uint64_t> place(record_stride(record.header.length) / 8);
  draft.copy_to(place.data());
  require(packet_record_valid(reinterpret_cast<const RecordHeader*>(place.data())));
  check_blocks(PacketView(reinterpret_cast<const PacketRecord*>(place.data())));
  require(flow_hash(draft, 1) == flow_hash(draft, 1));
}

void check_within(const Frame& frame, const std::uint8_t* octets, std::size_t length) {
  require(length == 0 || (octets >= frame.data && octets + length <= frame.data + frame.captured_length));
}

/// The record that the short way makes, if it takes the frame, against the draft's.
template <std::uint8_t version>
void check_plain(const Frame& frame, std::uint32_t wanted, Outcome outcome, PacketDraft draft) {
  PlainPacket<version> packet;
  if (!packet.fits(frame) || !packet.read(frame, wanted))
    return;
  require(outcome == Outcome::packet && draft.record.header.length == packet.record_bytes);
  draft.record.flow_hash = static_cast<std::uint32_t>(flow_hash(draft.record.key, draft.addresses, 1));
  std::uint64_t plain[packet.record_bytes / 8], drafted[packet.record_bytes / 8];
  packet.write(packet.hash(1), reinterpret_cast<std::byte*>(plain));
  draft.copy_to(drafted);
  require(std::memcmp(plain + 1, drafted + 1, packet.record_bytes - sizeof(RecordHeader)) == 0);
}

class Run {
public:
  Run(std::uint32_t wanted, bool within)
      : dissector_(wanted | (within ? Need::longer_keys : Need::none), within ? TunnelSet::all() : TunnelSet()),
        within_(within) {}

  void frame(const std::uint8_t* octets, std::uint32_t length, LinkType link, std::uint32_t wanted,
             std::uint64_t second) {
    // A block of its own, so that a read beyond the frame is seen.
    const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[length]);
    std::memcpy(copy.get(), octets, length);
    const Frame frame{copy.get(), second * 1'000'000'000, length, length + (second & 1 ? 1000 : 0), link};
    const Outcome outcome = dissector_.dissect(frame);
    PacketDraft draft = dissector_.packet();
    if (!within_) {
      check_plain<4>(frame, wanted, outcome, draft);
      check_plain<6>(frame, wanted, outcome, draft);
    }
    if (outcome != Outcome::packet)
      return;
    for (const PacketDraft& outer : dissector_.tunnels())
      check_record(outer);
    check_record(draft);
    check_within(frame, draft.carried, draft.carried_length);
    cache_.expire(second);
    drain();
    if (draft.fragment_part == FragmentPart::none)
      return;
    if (cache_.take(draft, second))
      check_record(draft);
    else
      ++waiting_;
    drain();
    require(cache_.waiting() == waiting_);
  }

  void finish() {
    cache_.flush();
    drain();
    require(waiting_ == 0 && cache_.waiting() == 0);
  }

private:
  void drain() {
    for (PacketDraft draft; cache_.next_released(draft); --waiting_)
      check_record(draft);
  }

  FrameDissector dissector_;
  bool within_;
  FragmentCache cache_{{.datagrams = 4, .waiting = 4, .seconds = 30}};
  std::uint32_t waiting_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3)
    return 0;
  const bool within = data[0] & 0x80;
  const auto link = static_cast<LinkType>((data[0] & 0x7f) % link_types);
  const std::uint32_t wanted = be16(data + 1) * 0x1'0001u & Need::all; // kinds of payload may have the upper bits
  Run run(wanted, within);
  std::uint64_t second = 0;
  for (std::size_t at = 3; size - at >= 3;) {
    second += data[at + 2];
    const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(be16(data + at), size - at - 3));
    run.frame(data + at + 3, length, link, wanted, second);
    at += 3 + length;
  }
  run.finish();
  return 0;
}
