// SPDX-License-Identifier: GPL-3.0-or-later
// The user's packet filter, in tcpdump's language (pcap-filter(7)): compiled by libpcap, once for each link type, and
// run in user space on every frame, whatever it was read by. The capture stage's thread.
#pragma once

#include "capture/sources/source.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>

struct bpf_program;

namespace orbweaver {

class BpfFilter {
public:
  /// Throws UsageError, with libpcap's words, where the expression is wrong. An expression that makes sense for some
  /// link types only ("vlan 7", "ether host …") is accepted; frames of the others do not match it, and complaint() says
  /// so.
  explicit BpfFilter(const std::string& expression);
  ~BpfFilter();
  BpfFilter(const BpfFilter&) = delete;
  BpfFilter& operator=(const BpfFilter&) = delete;

  /// Whether the frame passes. "null" frames are taken to be of this machine's byte order.
  [[nodiscard]] bool matches(const Frame& frame) const noexcept;

  /// What is wrong with the expression for the frames that it was tried on, in libpcap's words, or empty.
  [[nodiscard]] std::string_view complaint() const noexcept { return complaint_; }

private:
  std::array<std::unique_ptr<bpf_program>, link_types> programs_; // nothing where the expression has no meaning
  std::array<std::string, link_types> reasons_;                   // why it has none
  mutable std::string_view complaint_; // among them, of the first frame that it has no meaning for
};

} // namespace orbweaver
