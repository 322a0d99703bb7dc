// SPDX-License-Identifier: GPL-3.0-or-later
// The fragment cache: gives later fragments the ports of their datagram's first one. Later fragments that come before
// it wait here, and come out, with their own timestamps, right after it.
//
// Everything is bounded: datagrams, waiting fragments, and time. Whatever the bound, the oldest datagram goes, and the
// fragments that waited for it come out without ports; a flood of fragments can do no more than that. All memory is
// taken at the start. Capture owns one and uses it on its thread, for fragments only.
#pragma once

#include "capture/dissect/packet_draft.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbweaver {

class FragmentCache {
public:
  struct Limits {
    std::uint32_t datagrams = 16'384; ///< known or awaited, a power of two
    std::uint32_t waiting = 8'192;    ///< fragments that wait for their first one; at least 1
    std::uint32_t seconds = 30;       ///< of the packet clock, after which a datagram is forgotten
  };

  FragmentCache() : FragmentCache(Limits{}) {}
  /// `seed` keys the hash, so that nobody outside can aim at one bucket.
  explicit FragmentCache(const Limits& limits, std::uint64_t seed = 0);

  /// Takes a packet whose fragment_part is not `none`. True: deliver it now; its key has the ports where they are
  /// known. False: it waits. Afterwards, call next_released() until it has no more, before anything else.
  /// `second`: the packet clock, which never goes back.
  [[nodiscard]] bool take(PacketDraft& draft, std::uint64_t second) noexcept;

  /// Gives the next packet that waits no longer, to be delivered after the one just taken; false: there is none.
  [[nodiscard]] bool next_released(PacketDraft& draft) noexcept;

  /// Forgets datagrams that are too old, when the clock stepped; releases what waited for them.
  void expire(std::uint64_t second) noexcept;

  /// At the end of the input: releases everything.
  void flush() noexcept;

  /// Fragments waiting now.
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }
  /// Later fragments that went on without ports, because their first one did not come in time.
  [[nodiscard]] std::uint64_t unmatched() const noexcept { return unmatched_; }
  /// Of those, fragments that went because the cache was full.
  [[nodiscard]] std::uint64_t displaced() const noexcept { return displaced_; }

private:
  static constexpr std::uint32_t nil = 0xffff'ffff;

  /// What all fragments of a datagram share (RFC 791, section 3.2; RFC 8200, section 4.5).
  struct Key {
    std::array<std::uint8_t, 32> addresses{}; ///< source and destination
    std::uint32_t id = 0;
    std::uint8_t protocol = 0;
    std::uint8_t version = 0;
    std::uint16_t extension = 0; ///< octets of its flow key's extension, which are in extensions_
    std::uint64_t extension_hash = 0;
    bool operator==(const Key&) const = default;
  };
  struct Datagram {
    Key key;
    std::uint64_t second;      ///< when it was first heard of
    std::uint16_t source_port; ///< once known
    std::uint16_t destination_port;
    std::uint8_t protocol; ///< once known
    bool has_ports;
    bool known;           ///< its first fragment came
    bool in_use;          ///< is in a bucket
    std::uint32_t next;   ///< in its bucket
    std::uint32_t oldest; ///< list of waiting fragments
    std::uint32_t youngest;
  };
  struct Waiting {
    PacketDraft draft;
    std::uint32_t next;
  };

  [[nodiscard]] Key key_of(const PacketDraft& draft) const noexcept;
  static void complete(PacketDraft& draft, const Datagram& datagram) noexcept;
  /// Of the datagram that was added so many after the first.
  [[nodiscard]] std::uint32_t slot_of(std::uint64_t added) const noexcept {
    return static_cast<std::uint32_t>(added & (limits_.datagrams - 1));
  }
  std::uint32_t& bucket_of(const Key& key) noexcept;
  std::uint32_t find(const Key& key, const PacketDraft& draft) noexcept;
  std::uint32_t add(const Key& key, const PacketDraft& draft, std::uint64_t second) noexcept;
  void unlink(std::uint32_t slot) noexcept;
  void take_first(const PacketDraft& draft, const Key& key, std::uint64_t second) noexcept;
  std::uint32_t place_for_one() noexcept;
  void wait(const PacketDraft& draft, std::uint32_t slot) noexcept;
  void release(Datagram& datagram) noexcept;
  std::uint64_t forget_oldest() noexcept;

  Limits limits_;
  std::uint64_t seed_;
  // Datagrams take slots in turn, so the oldest one is the one at tail_ and goes first.
  std::vector<Datagram> datagrams_;
  std::vector<std::uint32_t> buckets_; ///< first slot of each
  using Extension = std::array<std::uint8_t, max_key_extension>;
  std::vector<Extension> extensions_; ///< by slot, as far as datagrams had them: where flow keys are extended
  std::uint64_t head_ = 0;            ///< datagrams ever added
  std::uint64_t tail_ = 0;            ///< datagrams ever forgotten
  std::vector<Waiting> pool_;
  std::uint32_t free_ = nil;
  std::uint32_t released_ = nil;
  std::uint32_t last_released_ = nil;
  std::uint32_t waiting_ = 0;
  std::uint64_t unmatched_ = 0;
  std::uint64_t displaced_ = 0;
};

} // namespace orbweaver
