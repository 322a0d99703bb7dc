// SPDX-License-Identifier: GPL-3.0-or-later
// A row on its way out of an observer: a flow that leaves, or an event. Valid for the call that hands it on.
#pragma once

#include "common/stream/field_types.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace orbweaver {

struct Row {
  /// A value behind the fixed part, and where the fixed part says so. Without data it is null.
  struct Tail {
    std::uint32_t offset;
    std::span<const std::byte> octets;
  };

  std::uint16_t table;
  std::span<const std::byte> core; ///< a FlowRecord or an EventRecord
  std::span<const std::byte> body; ///< what the chains add; its places for tails are to be written
  std::span<const Tail> tails;

  [[nodiscard]] std::uint64_t fixed_octets() const noexcept { return core.size() + body.size(); }
  [[nodiscard]] std::uint64_t octets() const noexcept {
    std::uint64_t sum = fixed_octets();
    for (const auto& tail : tails)
      sum += tail.octets.size();
    return sum;
  }

  /// Writes the record, but for its header, to a place of octets() octets; `with_tails` false: of fixed_octets(), and
  /// what is of variable length is null.
  void copy_to(std::byte* place, bool with_tails = true) const noexcept {
    std::memcpy(place, core.data(), core.size());
    std::memcpy(place + core.size(), body.data(), body.size());
    auto at = static_cast<std::uint32_t>(fixed_octets());
    for (const auto& [offset, octets] : tails) {
      TailRef ref;
      if (with_tails && octets.data()) {
        ref = {at, static_cast<std::uint32_t>(octets.size())};
        std::memcpy(place + at, octets.data(), octets.size());
        at += ref.octets;
      }
      std::memcpy(place + offset, &ref, sizeof ref);
    }
  }
};

/// Takes the rows that an observer gives out.
class RowSink {
public:
  virtual ~RowSink() = default;
  virtual void row(const Row& row) noexcept = 0;
};

} // namespace orbweaver
