// SPDX-License-Identifier: GPL-3.0-or-later
// Watches one network interface by its name: whether it is there, up, and has a carrier, as rtnetlink tells it
// (rtnetlink(7), RTNLGRP_LINK). Needs no right. Owned by a live source, in the capture stage's thread.
#pragma once

#include "common/file_descriptor.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

namespace orbweaver {

enum class LinkState : std::uint8_t {
  working,    ///< up, with a carrier
  no_carrier, ///< up, but the cable, the peer or the radio is not
  down,       ///< ip link set down
  removed,    ///< there is no interface of that name
};

/// What happened, to follow an interface's name: "was removed".
[[nodiscard]] std::string_view in_words(LinkState state) noexcept;

class LinkWatch {
public:
  /// Finds out how the interface is now. Throws Error.
  explicit LinkWatch(std::string interface);

  /// Takes what the kernel has said since; does not wait.
  void look() noexcept;

  /// look(), and where there was nothing waits that long for something to come.
  void wait(std::chrono::milliseconds time) noexcept;

  /// As last looked at.
  [[nodiscard]] LinkState state() const noexcept { return state_; }

  /// The worst that happened up to the last look since this was last asked, be it over or not: what was open on the
  /// interface is of no use any more unless this is `working`. Another interface under the name counts as `removed`.
  [[nodiscard]] LinkState take_worst() noexcept;

private:
  void ask();
  bool receive(int flags) noexcept;
  void take(std::span<const std::byte> messages) noexcept;
  void become(LinkState state) noexcept;

  std::string interface_;
  FileDescriptor socket_;
  int index_ = 0; ///< of the interface; 0: not known
  std::uint32_t carrier_losses_ = 0; ///< of that one, in all
  LinkState state_ = LinkState::removed;
  LinkState worst_ = LinkState::working;
};

} // namespace orbweaver
