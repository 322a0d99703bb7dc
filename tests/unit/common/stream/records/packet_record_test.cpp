// SPDX-License-Identifier: GPL-3.0-or-later
// What a consumer accepts as a packet record. The octets lie in a block of their very size, so that a sanitizer sees a
// read past them.
#include "common/stream/records/packet_record.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <initializer_list>
#include <memory>
#include <random>
#include <vector>

using namespace orbweaver;

namespace {

using Octets = std::vector<std::uint8_t>;

Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// A value as it lies in a block.
template <typename Value>
Octets lying(const Value& value) {
  const auto* const octets = reinterpret_cast<const std::uint8_t*>(&value);
  return {octets, octets + sizeof value};
}

/// A block with a length, true or not.
Octets counted(std::size_t length, const Octets& content) {
  return lying(static_cast<std::uint16_t>(length)) + content;
}

/// A record with those blocks, of its right length unless another is given.
bool valid(std::uint16_t blocks, const Octets& octets, std::uint8_t version = 4, std::int64_t longer = 0) {
  PacketRecord record{};
  record.header.kind = RecordKind::packet;
  record.key.version = version;
  record.key.extended = (blocks & PacketBlock::key_extension) != 0;
  record.blocks = blocks;
  const std::size_t size = sizeof record + addresses_length(version) + octets.size();
  record.header.length = static_cast<std::uint32_t>(static_cast<std::int64_t>(size) + longer);
  const std::size_t words = (std::max<std::size_t>(size, record.header.length) + 7) / 8;
  const std::unique_ptr<std::uint64_t[]> place(new std::uint64_t[words]{});
  std::memcpy(place.get(), &record, sizeof record);
  std::copy(octets.begin(), octets.end(),
            reinterpret_cast<std::uint8_t*>(place.get()) + sizeof record + addresses_length(version));
  return packet_record_valid(reinterpret_cast<const RecordHeader*>(place.get()));
}

const Octets mpls = lying(TunnelHead{TunnelKind::mpls, 0, 1, 0, 16});

} // namespace

TEST_CASE("a record without blocks has the length that its version says") {
  for (const std::uint8_t version : {4, 6}) {
    CHECK(valid(0, {}, version));
    CHECK_FALSE(valid(0, {}, version, 1));
    CHECK_FALSE(valid(0, {}, version, -1));
    CHECK_FALSE(valid(0, {1}, version));
  }
  for (const std::uint8_t version : {0, 5, 7, 255})
    CHECK_FALSE(valid(0, {}, version));
  CHECK_FALSE(valid(0, {}, 4, -9)); // within the fixed part
  CHECK_FALSE(valid(0, {}, 4, -60));
}

TEST_CASE("blocks of a fixed size must be there whole, and nothing behind them") {
  const std::pair<std::uint16_t, std::size_t> fixed[] = {
      {PacketBlock::ethernet, 14}, {PacketBlock::flow_label, 4}, {PacketBlock::icmp_sender, 4}};
  for (const auto& [bit, octets] : fixed) {
    CHECK(valid(bit, Octets(octets)));
    CHECK_FALSE(valid(bit, Octets(octets - 1)));
    CHECK_FALSE(valid(bit, Octets(octets + 1)));
    CHECK_FALSE(valid(bit, {}));
  }
  CHECK(valid(PacketBlock::icmp_sender, Octets(16), 6));
  CHECK_FALSE(valid(PacketBlock::icmp_sender, Octets(4), 6));
}

TEST_CASE("a block's length may not reach beyond the record, nor stop before its end") {
  for (const std::uint16_t bit : {PacketBlock::tcp_options, PacketBlock::quotation}) {
    CHECK(valid(bit, counted(8, Octets(8))));
    CHECK(valid(bit, counted(0, {})));
    CHECK_FALSE(valid(bit, counted(9, Octets(8))));
    CHECK_FALSE(valid(bit, counted(7, Octets(8))));
    CHECK_FALSE(valid(bit, counted(0xffff, Octets(8))));
    CHECK_FALSE(valid(bit, {0}));
    CHECK_FALSE(valid(bit, {}));
  }
  CHECK_FALSE(valid(PacketBlock::tcp_options, counted(41, Octets(41))));
  CHECK(valid(PacketBlock::quotation, counted(0xffff, Octets(0xffff))));
}

TEST_CASE("VLAN tags are whole ones, and not more than a record holds") {
  CHECK(valid(PacketBlock::vlan_tags, counted(8, Octets(8))));
  for (const std::size_t odd : {1, 2, 3, 5, 63})
    CHECK_FALSE(valid(PacketBlock::vlan_tags, counted(odd, Octets(odd))));
  CHECK(valid(PacketBlock::vlan_tags, counted(4 * max_vlan_tags, Octets(4 * max_vlan_tags))));
  CHECK_FALSE(valid(PacketBlock::vlan_tags, counted(4 * max_vlan_tags + 4, Octets(4 * max_vlan_tags + 4))));
}

TEST_CASE("tunnel layers are whole, of a kind that exists, and their addresses are there") {
  const auto accepted = [](const Octets& layers) {
    return valid(PacketBlock::tunnels, counted(layers.size(), layers));
  };
  CHECK(accepted(mpls));
  CHECK(accepted(mpls + mpls));
  CHECK_FALSE(accepted(mpls + Octets(7)));
  CHECK_FALSE(accepted(Octets(8))); // kind 0
  CHECK_FALSE(accepted(lying(TunnelHead{static_cast<TunnelKind>(99), 0, 1, 0, 0})));
  CHECK(accepted(lying(TunnelHead{TunnelKind::mpls, 4, 1, 0, 1}) + Octets(8) + mpls));
  CHECK(accepted(lying(TunnelHead{TunnelKind::mpls, 6, 1, 0, 1}) + Octets(32)));
  CHECK_FALSE(accepted(lying(TunnelHead{TunnelKind::mpls, 6, 1, 0, 1}) + Octets(31)));
  CHECK_FALSE(accepted(lying(TunnelHead{TunnelKind::mpls, 5, 1, 0, 1}) + Octets(8)));
  Octets many;
  for (std::uint32_t i = 0; i < max_tunnel_layers; ++i)
    many = many + mpls;
  CHECK(accepted(many));
  CHECK_FALSE(accepted(many + mpls));
}

TEST_CASE("a key's extension is no longer than one can be, and is there where the key says so") {
  CHECK(valid(PacketBlock::key_extension, counted(3, {1, 5, 0})));
  CHECK(valid(PacketBlock::key_extension, counted(max_key_extension, Octets(max_key_extension))));
  CHECK_FALSE(valid(PacketBlock::key_extension, counted(max_key_extension + 1, Octets(max_key_extension + 1))));
  CHECK_FALSE(valid(PacketBlock::key_extension, counted(0, {})));
  std::uint64_t words[8]{};
  auto& record = reinterpret_cast<PacketRecord&>(*words);
  record.header = {sizeof words, RecordKind::packet, 0};
  record.key.version = 4;
  CHECK(packet_record_valid(&record.header));
  record.key.extended = 1;
  CHECK_FALSE(packet_record_valid(&record.header));
}

TEST_CASE("payload is of a kind that exists") {
  CHECK(valid(PacketBlock::payload, counted(3, {1, 7, 8, 9})));
  CHECK(valid(PacketBlock::payload, counted(0, {1})));
  CHECK_FALSE(valid(PacketBlock::payload, counted(3, {0, 7, 8, 9})));
  CHECK_FALSE(valid(PacketBlock::payload, counted(3, {payload_kinds.size() + 1, 7, 8, 9})));
  CHECK_FALSE(valid(PacketBlock::payload, counted(3, {1, 7, 8})));
  CHECK_FALSE(valid(PacketBlock::payload, counted(0, {})));
}

TEST_CASE("blocks that nobody knows are refused") {
  for (unsigned bit = PacketBlock::all + 1u; bit <= 0x8000; bit <<= 1)
    CHECK_FALSE(valid(static_cast<std::uint16_t>(bit), {}));
  CHECK_FALSE(valid(0xffff, Octets(200)));
}

TEST_CASE("a view finds each block behind those before it, and a tunnel's addresses") {
  PacketRecord record{};
  record.key.version = 6;
  record.key.extended = 1;
  record.blocks = PacketBlock::all;
  const EthernetHeader ethernet{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}, 0x86dd};
  const Octets octets =
      lying(record) + Octets(32) + counted(3, {1, 5, 0}) + lying(ethernet) +
      counted(8, lying(VlanTag{0x88a8, 2}) + lying(VlanTag{0x8100, 3})) +
      counted(24, mpls + lying(TunnelHead{TunnelKind::mpls, 4, 1, 0, 9}) + Octets{10, 0, 0, 1, 10, 0, 0, 2}) +
      lying(std::uint32_t{0xabcde}) + Octets(16, 0xfd) + counted(4, {2, 4, 5, 0xb4}) + counted(2, {0x60, 0}) +
      counted(1, {1, 42});
  std::vector<std::uint64_t> words(octets.size() / 8 + 1);
  std::memcpy(words.data(), octets.data(), octets.size());
  auto& placed = reinterpret_cast<PacketRecord&>(*words.data());
  placed.header = {static_cast<std::uint32_t>(octets.size()), RecordKind::packet, 0};
  REQUIRE(packet_record_valid(&placed.header));
  const PacketView view(&placed);
  CHECK(view.key_extension().size() == 3);
  CHECK(view.key_extension()[1] == 5);
  CHECK(view.ethernet()->type == 0x86dd);
  CHECK(view.ethernet()->source[5] == 12);
  REQUIRE(view.vlan_tags().size() == 2);
  CHECK(view.vlan_tags()[1] == VlanTag{0x8100, 3});
  std::vector<std::uint32_t> identifiers;
  view.for_each_tunnel([&](const TunnelLayer& layer) {
    identifiers.push_back(layer.identifier);
    CHECK(layer.source.size() == (layer.identifier == 9 ? 4 : 0));
    if (layer.identifier == 9)
      CHECK(layer.destination[3] == 2);
  });
  CHECK(identifiers == std::vector<std::uint32_t>{16, 9});
  CHECK(view.flow_label() == 0xabcde);
  CHECK(view.icmp_sender().size() == 16);
  CHECK(view.icmp_sender()[0] == 0xfd);
  CHECK(view.tcp_options().size() == 4);
  CHECK(view.quotation()[0] == 0x60);
  CHECK(view.payload().size() == 1);
  CHECK(view.payload("dns")[0] == 42);
  CHECK(view.payload_kind() == PayloadName("dns").number());
}

TEST_CASE("whatever the octets of a record are, what is accepted lies within it") {
  std::mt19937 random(11);
  unsigned accepted = 0;
  bool within = true;
  for (int round = 0; round < 200'000; ++round) {
    const std::size_t size = sizeof(PacketRecord) + 8 + random() % 64;
    const std::unique_ptr<std::uint64_t[]> place(new std::uint64_t[(size + 7) / 8]{});
    auto* const octets = reinterpret_cast<std::uint8_t*>(place.get());
    for (std::size_t i = sizeof(PacketRecord); i < size; ++i)
      octets[i] = static_cast<std::uint8_t>(random() % 4 ? random() % 12 : 0);
    auto& record = reinterpret_cast<PacketRecord&>(*place.get());
    record.header.length = static_cast<std::uint32_t>(size);
    record.key.version = random() % 2 ? 4 : 6;
    record.blocks = static_cast<std::uint16_t>(1u << random() % 8 | (random() % 2 ? 1u << random() % 8 : 0));
    if (!packet_record_valid(&record.header))
      continue;
    ++accepted;
    const PacketView view(&record);
    const auto is_within = [&](std::span<const std::uint8_t> part) {
      return part.empty() || (part.data() >= octets && part.data() + part.size() <= octets + size);
    };
    within = within && is_within(view.tcp_options()) && is_within(view.quotation()) && is_within(view.payload()) &&
             is_within(view.icmp_sender()) && view.vlan_tags().size() <= max_vlan_tags;
    view.for_each_tunnel([&](const TunnelLayer& layer) { within = within && is_within(layer.destination); });
  }
  CHECK(within);
  CHECK(accepted > 1000);
}
