// SPDX-License-Identifier: GPL-3.0-or-later
// The flow table against a plain map: growth, colliding hashes, erasing, slots used again, and no memory to grow.
#include "observer/flows/flow_table.hpp"
#include "tests/unit/observer/record_maker.hpp"

#include <doctest/doctest.h>
#include <random>
#include <sys/resource.h>
#include <unordered_map>

using namespace orbweaver;
using namespace orbweaver::test;

namespace {

/// A key by number, with a hash of the test's choice.
struct Key {
  std::vector<std::uint64_t> words;
  std::uint32_t hash;

  Key(std::uint32_t number, std::uint32_t hash_value)
      : words(Packet({{1, static_cast<std::uint8_t>(number >> 16), 2, 3}, static_cast<std::uint16_t>(number)},
                     ipv4(1, 80), udp)
                  .words()),
        hash(hash_value) {}
  [[nodiscard]] PacketView view() const { return PacketView(reinterpret_cast<const PacketRecord*>(words.data())); }
};

std::uint32_t insert(FlowTable& table, const Key& key) {
  const std::uint32_t slot = table.insert(key.hash, key.view());
  table.flow(slot).state = FlowState::active;
  return slot;
}

/// Random insertions and erasures, `hash_of` giving each key its hash.
template <typename HashOf>
void compare_with_map(std::uint32_t keys, int steps, HashOf&& hash_of) {
  FlowTable table(40, keys);
  std::unordered_map<std::uint32_t, std::uint32_t> slots;
  std::mt19937 random(5);
  bool right = true;
  for (int step = 0; step < steps; ++step) {
    const std::uint32_t number = random() % keys;
    const Key key(number, hash_of(number));
    const std::uint32_t found = table.find(key.hash, key.view());
    if (const auto known = slots.find(number); known == slots.end()) {
      right = right && found == FlowTable::none;
      slots[number] = insert(table, key);
    } else {
      right = right && found == known->second;
      if (random() % 5 < 2) {
        table.erase(found);
        slots.erase(known);
      }
    }
    right = right && table.size() == slots.size();
  }
  for (std::uint32_t number = 0; number < keys; ++number) {
    const Key key(number, hash_of(number));
    const auto known = slots.find(number);
    right = right && table.find(key.hash, key.view()) == (known == slots.end() ? FlowTable::none : known->second);
  }
  CHECK(right);
}

} // namespace

TEST_CASE("a table that grows and shrinks finds what a map finds") {
  compare_with_map(20'000, 200'000, [](std::uint32_t number) { return number * 2'654'435'761u; });
}

TEST_CASE("flows of one 32-bit hash are told apart by their keys, at the end of the index too") {
  compare_with_map(40, 20'000, [](std::uint32_t) { return 0u; });
  compare_with_map(40, 20'000, [](std::uint32_t) { return 0xffffffffu; });
  compare_with_map(60, 20'000, [](std::uint32_t number) { return 0xffff0000u + number % 3 * 0x5000u; });
}

TEST_CASE("a key differs by address, port, protocol and version") {
  FlowTable table(0, 10);
  const auto slot_of = [&](const Packet& packet) {
    const auto words = packet.words();
    return table.find(1, PacketView(reinterpret_cast<const PacketRecord*>(words.data())));
  };
  const Packet there(ipv4(1, 10), ipv4(2, 20), udp);
  const auto words = there.words();
  (void)table.insert(1, PacketView(reinterpret_cast<const PacketRecord*>(words.data())));
  CHECK(slot_of(there) == 0);
  CHECK(slot_of(Packet(ipv4(2, 20), ipv4(1, 10), udp)) == 0);
  CHECK(slot_of(Packet(ipv4(1, 10), ipv4(2, 20), tcp)) == FlowTable::none);
  CHECK(slot_of(Packet(ipv4(1, 20), ipv4(2, 10), udp)) == FlowTable::none);
  CHECK(slot_of(Packet(ipv4(1, 10), ipv4(3, 20), udp)) == FlowTable::none);
  CHECK(slot_of(Packet(ipv6(1, 10), ipv6(2, 20), udp)) == FlowTable::none);
}

TEST_CASE("a slot is used again") {
  FlowTable table(0, 100);
  const Key first(1, 11), second(2, 22);
  const std::uint32_t slot = insert(table, first);
  table.erase(slot);
  CHECK(table.flow(slot).state == FlowState::free);
  CHECK(table.find(first.hash, first.view()) == FlowTable::none);
  CHECK(insert(table, second) == slot);
  CHECK(table.slots_used() == 1);
}

TEST_CASE("without memory for a larger index the table is full, and what is in it is found") {
  FlowTable table(0, 1'000'000);
  rlimit limit{};
  REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
  std::vector<Key> keys;
  for (std::uint32_t number = 0; number < 4000; ++number)
    keys.emplace_back(number, number * 2'654'435'761u);
  const rlimit tight{1 << 20, limit.rlim_max};
  REQUIRE(setrlimit(RLIMIT_AS, &tight) == 0);
  std::size_t inserted = 0;
  while (inserted < keys.size() && !table.full())
    insert(table, keys[inserted++]);
  setrlimit(RLIMIT_AS, &limit);
  CHECK(inserted == 2561); // five to a bucket of the first index, and the one that did not find room to grow
  CHECK(table.full());
  bool found = true;
  for (std::uint32_t i = 0; i < inserted; ++i)
    found = found && table.find(keys[i].hash, keys[i].view()) == i;
  CHECK(found);
  table.erase(5);
  CHECK_FALSE(table.full());
  CHECK(insert(table, keys[3999]) == 5);
  CHECK(table.full());
}
