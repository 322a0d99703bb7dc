// SPDX-License-Identifier: GPL-3.0-or-later
// Which way the system would send packets to a target, and from which address: asked of the kernel for each job
// (rtnetlink), so that policy rules, metrics, preferred sources and RFC 6724 count as they would for any program, and
// what changes during a session counts from the next job on. One thread.
#pragma once

#include "common/file_descriptor.hpp"
#include "common/stream/records/flow_record.hpp"

#include <cstdint>
#include <string>

namespace orbweaver {

struct Route {
  Address source{};        ///< version 0: the target is not to be measured
  std::uint16_t error = 0; ///< why not, as ConnectionRecord has it: errno, or `other_interface`
  std::string why = {};    ///< the same in words: "its route leaves by eth1, not by eth0"
};

class RouteFinder {
public:
  /// Routes by that interface (its name). `source4` and `source6` stand for the kernel's choice where they are given
  /// (version not 0). Throws Error where the kernel cannot be asked.
  RouteFinder(std::string interface, const Address& source4, const Address& source6);

  /// How a packet of that protocol (6, 17) to that port would leave. A target on the link (fe80::/10) has no interface
  /// of its own: it is on ours. Throws Error where the kernel does not answer.
  [[nodiscard]] Route to(const Address& target, std::uint8_t protocol, std::uint16_t port);

private:
  struct Found;

  [[nodiscard]] Found ask(const Address& target, const Address& source, std::uint8_t protocol, std::uint16_t port);
  [[nodiscard]] std::string name_of(int index);

  std::string interface_;
  int index_ = 0; ///< of the interface; it has another one when it comes back after it was removed
  Address source4_, source6_;
  FileDescriptor socket_;
  std::uint32_t sequence_ = 0;
};

} // namespace orbweaver
