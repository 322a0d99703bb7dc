// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/fragments.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <utility>

namespace orbweaver {
namespace {

/// The sender's place among the two endpoints of a draft: 0 or 1.
bool sender_of(const PacketDraft& draft) noexcept {
  return draft.record.bits & PacketBits::from_high;
}

} // namespace

FragmentCache::FragmentCache(const Limits& limits, std::uint64_t seed)
    : limits_{std::bit_ceil(limits.datagrams), limits.waiting, limits.seconds}, seed_(seed),
      buckets_(limits_.datagrams, nil) {
  // Room for all, but memory as it is used: most captures have few fragments, and each start would wait for 5 MB.
  datagrams_.reserve(limits_.datagrams);
  pool_.reserve(limits_.waiting);
}

FragmentCache::Key FragmentCache::key_of(const PacketDraft& draft) const noexcept {
  Key key;
  key.version = draft.record.key.version;
  key.protocol = draft.fragment_protocol;
  key.id = draft.fragment_id;
  // A quoted datagram went the other way than the error that quotes it.
  const bool source = sender_of(draft) != (draft.fragment_part == FragmentPart::quoted);
  const std::size_t length = addresses_length(key.version) / 2;
  std::memcpy(key.addresses.data(), draft.addresses + (source ? length : 0), length);
  std::memcpy(key.addresses.data() + length, draft.addresses + (source ? 0 : length), length);
  if (const auto extension = draft.key_extension(); !extension.empty()) [[unlikely]] {
    key.extension = static_cast<std::uint16_t>(extension.size());
    key.extension_hash = XXH3_64bits_withSeed(extension.data(), extension.size(), seed_);
  }
  return key;
}

std::uint32_t& FragmentCache::bucket_of(const Key& key) noexcept {
  return buckets_[XXH3_64bits_withSeed(&key, sizeof key, seed_) & (buckets_.size() - 1)];
}

std::uint32_t FragmentCache::find(const Key& key, const PacketDraft& draft) noexcept {
  const auto is_it = [&](std::uint32_t slot) {
    return datagrams_[slot].key == key &&
           (key.extension == 0 ||
            std::memcmp(extensions_[slot].data(), draft.key_extension().data(), key.extension) == 0);
  };
  std::uint32_t slot = bucket_of(key);
  while (slot != nil && !is_it(slot))
    slot = datagrams_[slot].next;
  return slot;
}

std::uint32_t FragmentCache::add(const Key& key, const PacketDraft& draft, std::uint64_t second) noexcept {
  if (head_ - tail_ == limits_.datagrams)
    displaced_ += forget_oldest();
  const std::uint32_t slot = slot_of(head_++);
  if (slot == datagrams_.size())
    datagrams_.emplace_back();
  if (key.extension != 0) [[unlikely]] {
    if (slot >= extensions_.size())
      extensions_.resize(slot + std::size_t{1});
    std::memcpy(extensions_[slot].data(), draft.key_extension().data(), key.extension);
  }
  datagrams_[slot] = {key, second, 0, 0, 0, false, false, true, std::exchange(bucket_of(key), slot), nil, nil};
  return slot;
}

void FragmentCache::unlink(std::uint32_t slot) noexcept {
  Datagram& datagram = datagrams_[slot];
  std::uint32_t* link = &bucket_of(datagram.key);
  while (*link != slot)
    link = &datagrams_[*link].next;
  *link = datagram.next;
  datagram.in_use = false;
}

std::uint64_t FragmentCache::forget_oldest() noexcept {
  const auto slot = slot_of(tail_++);
  if (!datagrams_[slot].in_use)
    return 0;
  const std::uint64_t before = unmatched_;
  unlink(slot);
  release(datagrams_[slot]);
  return unmatched_ - before;
}

void FragmentCache::complete(PacketDraft& draft, const Datagram& datagram) noexcept {
  draft.record.key.protocol = datagram.protocol;
  draft.record.key.has_ports = datagram.has_ports;
  const bool error = draft.fragment_part == FragmentPart::quoted;
  std::uint16_t from = datagram.source_port, to = datagram.destination_port;
  if (error)
    std::swap(from, to);
  const std::size_t length = addresses_length(draft.record.key.version) / 2;
  std::array<std::uint8_t, 32> addresses;
  std::memcpy(addresses.data(), draft.addresses, addresses.size());
  const std::uint8_t* sender = addresses.data() + (sender_of(draft) ? length : 0);
  const std::uint8_t* receiver = addresses.data() + (sender_of(draft) ? 0 : length);
  if (draft.record.key.version == 4)
    set_endpoints<4>(draft, sender, receiver, from, to, error);
  else
    set_endpoints<6>(draft, sender, receiver, from, to, error);
}

void FragmentCache::take_first(const PacketDraft& draft, const Key& key, std::uint64_t second) noexcept {
  std::uint32_t slot = find(key, draft);
  if (slot != nil && datagrams_[slot].known) {
    unlink(slot); // the identification is in use again: its time begins anew
    slot = nil;
  }
  if (slot == nil)
    slot = add(key, draft, second);
  Datagram& datagram = datagrams_[slot];
  const bool sender = sender_of(draft);
  datagram.source_port = draft.record.key.ports[sender];
  datagram.destination_port = draft.record.key.ports[!sender];
  datagram.protocol = draft.record.key.protocol;
  datagram.has_ports = draft.record.key.has_ports;
  datagram.known = true;
  release(datagram);
}

bool FragmentCache::take(PacketDraft& draft, std::uint64_t second) noexcept {
  const Key key = key_of(draft);
  if (draft.fragment_part == FragmentPart::first) {
    take_first(draft, key, second);
    return true;
  }
  std::uint32_t slot = find(key, draft);
  if (slot != nil && datagrams_[slot].known) {
    complete(draft, datagrams_[slot]);
    return true;
  }
  if (draft.fragment_part == FragmentPart::quoted)
    return true;
  if (slot == nil)
    slot = add(key, draft, second);
  wait(draft, slot);
  return false;
}

std::uint32_t FragmentCache::place_for_one() noexcept {
  if (free_ != nil)
    return std::exchange(free_, pool_[free_].next);
  pool_.emplace_back();
  return static_cast<std::uint32_t>(pool_.size() - 1);
}

void FragmentCache::wait(const PacketDraft& draft, std::uint32_t slot) noexcept {
  const std::uint32_t place = place_for_one();
  pool_[place].next = nil;
  pool_[place].draft = draft;
  Datagram& datagram = datagrams_[slot];
  if (datagram.oldest == nil)
    datagram.oldest = place;
  else
    pool_[datagram.youngest].next = place;
  datagram.youngest = place;
  ++waiting_;
  // The next one must find a place: what is released here comes back to the free ones before it is taken.
  while (free_ == nil && released_ == nil && pool_.size() == limits_.waiting)
    displaced_ += forget_oldest();
}

void FragmentCache::release(Datagram& datagram) noexcept {
  if (datagram.oldest == nil)
    return;
  for (std::uint32_t place = datagram.oldest; place != nil; place = pool_[place].next) {
    --waiting_;
    if (datagram.known)
      complete(pool_[place].draft, datagram);
    else
      ++unmatched_;
  }
  if (released_ == nil)
    released_ = datagram.oldest;
  else
    pool_[last_released_].next = datagram.oldest;
  last_released_ = datagram.youngest;
  datagram.oldest = datagram.youngest = nil;
}

bool FragmentCache::next_released(PacketDraft& draft) noexcept {
  if (released_ == nil)
    return false;
  const std::uint32_t place = released_;
  draft = pool_[place].draft;
  released_ = std::exchange(pool_[place].next, free_);
  free_ = place;
  return true;
}

void FragmentCache::expire(std::uint64_t second) noexcept {
  while (tail_ != head_ && datagrams_[slot_of(tail_)].second + limits_.seconds <= second)
    forget_oldest();
}

void FragmentCache::flush() noexcept {
  while (tail_ != head_)
    forget_oldest();
}

} // namespace orbweaver
