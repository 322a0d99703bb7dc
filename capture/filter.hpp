// SPDX-License-Identifier: GPL-3.0-or-later
// The user's packet filter, in tcpdump's language (pcap-filter(7)): compiled by libpcap, once for each link type, and
// run in user space on every frame, whatever it was read by. The capture stage's thread.
#pragma once

#include "capture/filter_hint.hpp"
#include "capture/sources/source.hpp"

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace orbweaver {

/// An expression for frames of one link type: a program, whose owner frees what is in it, or why there is none.
struct CompiledFilter {
  std::unique_ptr<bpf_program> program;
  std::string refusal;
};
[[nodiscard]] CompiledFilter compile_filter(const std::string& expression, LinkType link);

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

  /// What is to be said where it let none of so many packets pass.
  [[nodiscard]] std::string why_none(std::uint64_t packets) const { return hint_->text(packets); }

private:
  std::unique_ptr<FilterHint> hint_;
  std::array<std::unique_ptr<bpf_program>, link_types> programs_; // nothing where the expression has no meaning
  std::array<std::string, link_types> reasons_;                   // why it has none
  mutable std::string_view complaint_; // among them, of the first frame that it has no meaning for
};

} // namespace orbweaver
