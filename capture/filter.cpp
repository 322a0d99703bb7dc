// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/filter.hpp"

#include "common/error.hpp"

#include <pcap/pcap.h>

namespace orbweaver {
namespace {

constexpr int whole_frame = 262144; // what the program returns of a frame that passes: its snap length

using DeadCapture = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

} // namespace

BpfFilter::BpfFilter(const std::string& expression) {
  bool compiled = false;
  for (unsigned i = 0; i < link_types; ++i) {
    const DeadCapture dead(pcap_open_dead(dlt_of(static_cast<LinkType>(i)), whole_frame), &pcap_close);
    if (!dead)
      throw Error("filter: no memory to compile it");
    auto program = std::make_unique<bpf_program>();
    if (pcap_compile(dead.get(), program.get(), expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0) {
      programs_[i] = std::move(program);
      compiled = true;
    } else {
      reasons_[i] = "filter \"" + expression + "\": " + pcap_geterr(dead.get()) + "; see man pcap-filter";
    }
  }
  if (!compiled) // the first link type is Ethernet, for which most people write
    throw UsageError(reasons_[0]);
}

BpfFilter::~BpfFilter() {
  for (const auto& program : programs_)
    if (program)
      pcap_freecode(program.get());
}

bool BpfFilter::matches(const Frame& frame) const noexcept {
  const auto link = static_cast<unsigned>(frame.link);
  const bpf_program* program = programs_[link].get();
  if (program == nullptr) [[unlikely]] {
    if (!complaint_)
      complaint_ = &reasons_[link];
    return false;
  }
  return bpf_filter(program->bf_insns, frame.data, frame.wire_length, frame.captured_length) != 0;
}

} // namespace orbweaver
