// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flows/kept_flows.hpp"

#include "common/error.hpp"
#include "observer/flows/flow_memory.hpp"
#include "observer/flows/flow_table.hpp"

namespace orbweaver {

namespace {

std::uint64_t whole_pages(std::uint64_t octets) {
  return (octets + huge_page_octets - 1) / huge_page_octets * huge_page_octets;
}

} // namespace

KeptTable::KeptTable(int fd, std::uint32_t state_bytes, std::uint64_t max_flows, std::uint64_t flow_memory_octets)
    : fd_(fd), flow_bytes_(FlowTable::flow_bytes(state_bytes)) {
  const bool is_empty = kept_octets(fd) == 0;
  if (is_empty)
    size_kept_memory(fd, huge_page_octets); // of which the header takes a page
  flows_ = reinterpret_cast<KeptFlows*>(map_kept_memory(fd, 0, header_octets));
  is_left_ = !is_empty && flows_->magic == KeptFlows::whole;
  if (is_left_) {
    if (flows_->state_bytes != state_bytes)
      throw Error("the flows that a predecessor left are of other chains");
    // It may have been taken over by what it read: nothing may lie outside of what is there.
    constexpr std::uint64_t most = std::uint64_t{1} << 32;
    if (flows_->max_flows > most || flows_->flow_memory_octets > most * FlowMemory::unit_octets ||
        flows_->slots_used > flows_->max_flows ||
        slab_offset() + whole_pages(flows_->max_flows * flow_bytes_) > kept_octets(fd))
      throw Error("the flows that a predecessor left do not fit into their memory");
    return;
  }
  flows_->max_flows = max_flows; // or its maker died before it had begun
  flows_->flow_memory_octets = flow_memory_octets;
  flows_->state_bytes = state_bytes;
  flows_->pending.position = KeptFlows::nowhere;
  flows_->leaving.slot = KeptFlows::no_slot;
  flows_->died_at = KeptFlows::nowhere;
  if (const auto octets = slab_offset() + whole_pages(max_flows * flow_bytes_); octets > kept_octets(fd))
    size_kept_memory(fd, octets);
  in_order();
  flows_->magic = KeptFlows::whole;
}

std::uint64_t KeptTable::beside_offset() const noexcept {
  return huge_page_octets + whole_pages(flows_->flow_memory_octets);
}

std::uint64_t KeptTable::slab_offset() const noexcept {
  return beside_offset() + whole_pages(flows_->max_flows * sizeof(BesideFlow));
}

MemoryArea KeptTable::area(std::uint64_t offset, std::uint64_t octets) const {
  return octets == 0 ? MemoryArea()
                     : MemoryArea(map_kept_memory(fd_, offset, whole_pages(octets)), whole_pages(octets));
}

MemoryArea KeptTable::memory() const {
  return area(huge_page_octets, flows_->flow_memory_octets);
}

MemoryArea KeptTable::beside() const {
  return area(beside_offset(), flows_->max_flows * sizeof(BesideFlow));
}

MemoryArea KeptTable::slab() const {
  return area(slab_offset(), flows_->max_flows * flow_bytes_);
}

} // namespace orbweaver
