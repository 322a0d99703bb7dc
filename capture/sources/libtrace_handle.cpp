// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/sources/libtrace_handle.hpp"

#include "capture/sources/kernel_buffer.hpp"
#include "common/error.hpp"

#include <linux/if_packet.h>

namespace orbweaver {

LibtraceHandle::LibtraceHandle(const LibtraceOptions& options)
    : name_(options.name), trace_(trace_create(options.uri.c_str())) {
  if (trace_is_err(trace_))
    throw_open_error();
  int yes = 1;
  if (options.promiscuous && trace_config(trace_, TRACE_OPTION_PROMISC, &yes) != 0)
    throw_open_error();
  const PcapBuffer buffer(options.kernel_buffer_mib);
  if (trace_start(trace_) != 0)
    throw_open_error();
  for (libtrace_packet_t*& packet : packets_)
    packet = trace_create_packet();
}

LibtraceHandle::~LibtraceHandle() {
  for (libtrace_packet_t* packet : packets_) // before the trace, whose ring they point into
    trace_destroy_packet(packet);
  trace_destroy(trace_);
}

void LibtraceHandle::release(std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    libtrace_packet_t& packet = *packets_[i];
    if (packet.type != TRACE_RT_DATA_LINUX_RING || packet.buffer == nullptr)
      continue;
    auto* slot = static_cast<tpacket2_hdr*>(packet.buffer);
    // Pairs with the kernel's read of the status before it fills the slot again (packet(7), PACKET_RX_RING).
    __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    packet.buffer = nullptr;
    packet.header = nullptr;
  }
}

std::string LibtraceHandle::error_text() const {
  return name_ + ": " + trace_get_err(trace_).problem;
}

void LibtraceHandle::throw_open_error() {
  std::string text = error_text();
  if (text.find("not permitted") != std::string::npos || text.find("ermission") != std::string::npos)
    text += ". Live capture needs the capability CAP_NET_RAW: run as root with --user, as a service, or with the right "
            "given to a group (docs/operating-a-probe.md, Rights)";
  trace_destroy(trace_);
  throw Error(text);
}

} // namespace orbweaver
