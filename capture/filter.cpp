// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/filter.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <linux/filter.h>
#include <pcap/pcap.h>

namespace orbweaver {
namespace {

constexpr int whole_frame = 262144; // what the program returns of a frame that passes: its snap length

/// Whether a program asks for what the kernel knows of a packet beside its octets, its direction or interface: libpcap
/// compiles that to loads far behind the end of any packet, which fail here.
bool asks_the_kernel(const bpf_program& program) noexcept {
  constexpr auto kernel_offset = static_cast<bpf_u_int32>(SKF_LL_OFF);
  return std::any_of(program.bf_insns, program.bf_insns + program.bf_len, [](const bpf_insn& instruction) {
    return BPF_CLASS(instruction.code) == BPF_LD && BPF_MODE(instruction.code) == BPF_ABS &&
           instruction.k >= kernel_offset;
  });
}

using DeadCapture = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

} // namespace

CompiledFilter compile_filter(const std::string& expression, LinkType link) {
  const DeadCapture dead(pcap_open_dead(dlt_of(link), whole_frame), &pcap_close);
  if (!dead)
    throw Error("filter: no memory to compile it");
  auto program = std::make_unique<bpf_program>();
  if (pcap_compile(dead.get(), program.get(), expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    return {nullptr, pcap_geterr(dead.get())};
  if (asks_the_kernel(*program)) {
    pcap_freecode(program.get());
    return {nullptr, "it asks for what is not in a packet's octets"};
  }
  return {std::move(program), {}};
}

BpfFilter::BpfFilter(const std::string& expression) {
  bool compiled = false;
  for (unsigned i = 0; i < link_types; ++i) {
    auto filter = compile_filter(expression, static_cast<LinkType>(i));
    programs_[i] = std::move(filter.program);
    if (programs_[i])
      compiled = true;
    else
      reasons_[i] = "filter \"" + expression + "\": " + filter.refusal + "; see man pcap-filter";
  }
  if (!compiled) // the first link type is Ethernet, for which most people write
    throw UsageError(reasons_[0]);
  hint_ = std::make_unique<FilterHint>(expression);
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
    if (complaint_.empty())
      complaint_ = reasons_[link];
    return false;
  }
  if (bpf_filter(program->bf_insns, frame.data, frame.wire_length, frame.captured_length) != 0)
    return true;
  hint_->look_at(frame);
  return false;
}

} // namespace orbweaver
