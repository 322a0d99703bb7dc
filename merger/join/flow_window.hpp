// SPDX-License-Identifier: GPL-3.0-or-later
// The flows that came lately, in the order in which they came: kept until their connection is known, and some time
// longer, since a second connection may have used the same ports. Found by either end. Bounded: the oldest one makes
// room. Owned by the join; one thread.
//
// Flows lie one after another in chunks, numbered as they came; a chunk is used again once its flows have left. What a
// flow's record has of variable length lies apart: a flow takes what it needs, and nothing where it has none. Every
// flow is in two hash chains, one for each end that may be the peer. As flows leave in the order in which they came,
// the one that leaves always is the first of its chains.
#pragma once

#include "merger/follow/state_octets.hpp"
#include "merger/join/join_key.hpp"
#include "merger/rows/row.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace orbweaver {

class FlowWindow {
public:
  /// What is known of a flow besides its record.
  struct Entry {
    std::uint64_t came_s = 0;   ///< its stream's packet clock when it came
    std::uint64_t owner_ns = 0; ///< when the first connection that claimed it started
    std::uint32_t next[2]{};    ///< in the hash chains, of nodes
    std::byte* tail = nullptr;  ///< owned by the window
    std::uint32_t tail_octets = 0;
    std::uint16_t stream = 0;
    bool claimed = false;

    [[nodiscard]] const FlowRecord& flow() const noexcept { return *reinterpret_cast<const FlowRecord*>(this + 1); }
  };

  /// For records whose fixed part has at most `record_bytes` octets. Keeps `max_flows` at most, a power of two up to
  /// 2^28.
  FlowWindow(std::uint32_t record_bytes, std::uint32_t max_flows, bool server_mode);
  FlowWindow(const FlowWindow&) = delete;
  FlowWindow& operator=(const FlowWindow&) = delete;
  ~FlowWindow();

  [[nodiscard]] std::uint64_t size() const noexcept { return next_ - first_; }
  [[nodiscard]] bool is_full() const noexcept { return size() == max_flows_; }
  [[nodiscard]] const Entry& oldest() noexcept { return entry(first_); }

  /// Keeps a copy of a flow, whose fixed part has `record_bytes` octets; there must be room. The entry stays where it
  /// is until it is removed.
  Entry& add(const RowView& flow, std::uint32_t record_bytes, std::uint16_t stream, std::uint64_t came_s);

  void remove_oldest() noexcept;

  /// Calls visit(Entry&, bool reversed) for each flow of that key, the oldest first.
  template <typename Visit>
  void for_each(const JoinKey& key, Visit&& visit) {
    for (auto node = chain_of(key).first; node != none; node = next_of(node)) {
      auto& found = entry(node / 2);
      const bool reversed = node % 2 != 0;
      if (key_of(found.flow(), server_mode_, reversed) == key)
        visit(found, reversed);
    }
  }

  /// Writes down all flows, the oldest first. Restored by add().
  void save(StateWriter& state) const noexcept;
  /// What stands before each of them, whole as it came.
  struct Saved {
    std::uint64_t came_s, owner_ns;
    std::uint32_t stream;
    std::uint32_t claimed;
  };

  /// How many were not claimed.
  [[nodiscard]] std::uint64_t unclaimed() const noexcept;

  /// Octets of all tails.
  [[nodiscard]] std::uint64_t tail_octets() const noexcept { return tail_octets_; }
  /// Octets that flows and chains take.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept;

private:
  /// A flow's number modulo max_flows, twice; plus 1 for the chain of its reversed key.
  using Node = std::uint32_t;
  static constexpr Node none = std::numeric_limits<Node>::max();
  struct Chain {
    Node first = none;
    Node last = none;
  };
  static constexpr std::uint64_t chunk_flows = 1024;

  [[nodiscard]] Entry& entry(std::uint64_t number) const noexcept {
    const auto place = number & (max_flows_ - 1);
    return *reinterpret_cast<Entry*>(chunks_[place / chunk_flows].get() + place % chunk_flows * stride_);
  }
  [[nodiscard]] Node& next_of(Node node) noexcept { return entry(node / 2).next[node % 2]; }
  [[nodiscard]] Chain& chain_of(const JoinKey& key) noexcept { return chains_[key.hash() & (chains_.size() - 1)]; }
  void link(std::uint64_t number) noexcept;
  void add_chains();

  using Chunk = std::unique_ptr<std::byte[]>;
  std::uint64_t stride_; ///< octets of an entry and its record
  std::uint64_t max_flows_;
  bool server_mode_;
  std::uint64_t first_ = 0; ///< number of the oldest flow
  std::uint64_t next_ = 0;
  std::uint64_t tail_octets_ = 0;
  std::vector<Chunk> chunks_; ///< by place; those without flows are empty
  std::vector<Chunk> spare_;
  std::vector<Chain> chains_;
};

} // namespace orbweaver
