// SPDX-License-Identifier: GPL-3.0-or-later
// A frame's packet, taken out of the tunnels that it is in, where that is asked for. Holds the packet at hand and those
// around it; each user has one of its own.
//
// A tunnel is taken off where a whole packet with its ports was found in it, which says of its length nothing that the
// tunnel's own denies; otherwise what was found around it stays the packet, and is counted. So it is with later
// fragments of a tunnel's packet, of which nothing can be said.
//
// An ICMP error that quotes a tunnel's packet belongs to the flow of what was in it, as far as it is quoted, and where
// that has the error's own IP version.
#pragma once

#include "capture/dissect/dissector.hpp"
#include "common/stream/records/tunnel_set.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace orbweaver {

class FrameDissector {
public:
  /// `needs` (Need) says what its packets carry.
  FrameDissector(std::uint32_t needs, TunnelSet taken)
      : needs_(needs), taken_(taken), drafts_(taken.empty() ? 1 : max_tunnels + 1) {}

  /// Dissects a frame; packet() says something where the outcome is `packet`.
  [[nodiscard]] Outcome dissect(const Frame& frame) noexcept {
    if (taken_.empty()) [[likely]]
      return orbweaver::dissect(frame, needs_, drafts_[0]);
    return dissect_within(frame);
  }

  [[nodiscard]] PacketDraft& packet() noexcept { return drafts_[depth_]; }
  /// The packets of the tunnels that were taken off, the outer one first.
  [[nodiscard]] std::span<PacketDraft> tunnels() noexcept { return std::span(drafts_).first(depth_); }
  /// A tunnel was found that could not be taken off.
  [[nodiscard]] bool left_on() const noexcept { return left_on_; }

private:
  Outcome dissect_within(const Frame& frame) noexcept;
  [[nodiscard]] bool take_off(LinkHeaders& headers) noexcept;
  void look_into_quotation(LinkHeaders& headers) noexcept;

  std::uint32_t needs_;
  TunnelSet taken_;
  std::size_t depth_ = 0;
  bool left_on_ = false;
  std::vector<PacketDraft> drafts_;
};

} // namespace orbweaver
