// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flows/flow_memory.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace orbweaver;

namespace {

std::span<const std::byte> octets_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// What a test keeps of a flow: its blocks, and the values that it should hold.
struct Owner {
  FlowMemory::Place first = 0;
  std::vector<std::pair<TailRef, std::string>> values;
};

std::string held(const FlowMemory& memory, const TailRef& ref) {
  const auto octets = memory.octets(ref);
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

} // namespace

TEST_CASE("a value is held as it was set, and set again in its place") {
  FlowMemory memory(1 << 20);
  FlowMemory::Place first = 0;
  TailRef ref;
  CHECK(memory.octets(ref).empty());
  REQUIRE(memory.store(first, ref, octets_of("www.example.org")));
  CHECK(held(memory, ref) == "www.example.org");
  const auto place = ref.at;
  REQUIRE(memory.store(first, ref, octets_of("a")));
  CHECK(held(memory, ref) == "a");
  CHECK(ref.at == place);
  REQUIRE(memory.store(first, ref, octets_of(std::string(1000, 'x'))));
  CHECK(held(memory, ref) == std::string(1000, 'x'));
  CHECK(memory.counters().octets == 1024);
}

TEST_CASE("an empty value is not null") {
  FlowMemory memory(1 << 20);
  FlowMemory::Place first = 0;
  TailRef ref;
  REQUIRE(memory.store(first, ref, {}));
  CHECK_FALSE(ref.is_null());
  CHECK(ref.octets == 0);
}

TEST_CASE("values grow at their end") {
  FlowMemory memory(1 << 20);
  FlowMemory::Place first = 0;
  TailRef ref;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const auto part = std::to_string(i) + ",";
    REQUIRE(memory.append(first, ref, octets_of(part)));
    expected += part;
  }
  CHECK(held(memory, ref) == expected);
  memory.release(first, ref);
  CHECK(ref.is_null());
  CHECK(first == 0);
  CHECK(memory.counters().octets == 0);
}

TEST_CASE("without memory, or for a value longer than the largest block, there is null and a count") {
  FlowMemory none(0), memory(4 << 20);
  FlowMemory::Place first = 0;
  TailRef ref;
  CHECK_FALSE(none.store(first, ref, octets_of("x")));
  CHECK(ref.is_null());
  CHECK(none.counters().full == 1);
  CHECK_FALSE(memory.store(first, ref, octets_of(std::string(FlowMemory::max_value_octets + 1, 'x'))));
  CHECK(memory.counters().too_long == 1);
  CHECK(memory.store(first, ref, octets_of(std::string(FlowMemory::max_value_octets, 'x'))));
}

TEST_CASE("a full memory is whole again once its flows have left, whatever the sizes were") {
  FlowMemory memory(2 << 20);
  std::mt19937 random(1);
  for (int round = 0; round < 3; ++round) {
    std::vector<Owner> owners(4000);
    const auto full_before = memory.counters().full;
    for (auto& owner : owners) {
      TailRef ref;
      if (!memory.store(owner.first, ref, octets_of(std::string(random() % 2000, 'y'))))
        CHECK(ref.is_null());
    }
    CHECK(memory.counters().full > full_before);
    for (auto& owner : owners)
      memory.release_all(owner.first);
    CHECK(memory.counters().octets == 0);
    // The largest block there is, but for the first one's unit.
    FlowMemory::Place first = 0;
    TailRef ref;
    CHECK(memory.store(first, ref, octets_of(std::string(FlowMemory::max_value_octets, 'z'))));
    memory.release_all(first);
  }
  CHECK(memory.touched_octets() == 2 << 20);
}

TEST_CASE("whatever is set, added and freed, each flow holds its own values") {
  FlowMemory memory(3 << 20);
  std::mt19937 random(5);
  std::vector<Owner> owners(64);
  for (int step = 0; step < 100'000; ++step) {
    auto& owner = owners[random() % owners.size()];
    const std::string text(random() % 300, static_cast<char>('a' + random() % 26));
    switch (random() % 8) {
    case 0:
      for (const auto& [ref, expected] : owner.values)
        REQUIRE(held(memory, ref) == expected);
      memory.release_all(owner.first);
      owner.values.clear();
      break;
    case 1:
    case 2: {
      TailRef ref;
      if (memory.store(owner.first, ref, octets_of(text)))
        owner.values.emplace_back(ref, text);
      break;
    }
    default:
      if (owner.values.empty())
        break;
      auto& [ref, expected] = owner.values[random() % owner.values.size()];
      if (random() % 2) {
        if (memory.append(owner.first, ref, octets_of(text)))
          expected += text;
      } else if (memory.store(owner.first, ref, octets_of(text))) {
        expected = text;
      } else {
        REQUIRE(ref.is_null());
        expected.clear();
      }
    }
  }
  for (auto& owner : owners)
    memory.release_all(owner.first);
  CHECK(memory.counters().octets == 0);
}
