// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/join/flow_window.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace orbweaver {

namespace {

constexpr std::size_t first_chains = 4096;
constexpr std::size_t max_spare_chunks = 16;

} // namespace

FlowWindow::FlowWindow(std::uint32_t record_bytes, std::uint32_t max_flows, bool server_mode)
    : stride_(sizeof(Entry) + (std::uint64_t{record_bytes} + 7) / 8 * 8), max_flows_(max_flows),
      server_mode_(server_mode), chunks_((max_flows + chunk_flows - 1) / chunk_flows), chains_(first_chains) {}

FlowWindow::~FlowWindow() {
  while (size() > 0)
    remove_oldest();
}

FlowWindow::Entry& FlowWindow::add(const RowView& flow, std::uint32_t record_bytes, std::uint16_t stream,
                                   std::uint64_t came_s) {
  auto& chunk = chunks_[(next_ & (max_flows_ - 1)) / chunk_flows];
  if (!chunk && !spare_.empty()) {
    chunk = std::move(spare_.back());
    spare_.pop_back();
  } else if (!chunk) {
    chunk = std::make_unique_for_overwrite<std::byte[]>(chunk_flows * stride_);
  }
  if (size() >= chains_.size())
    add_chains();
  auto& added = *new (&entry(next_)) Entry{.came_s = came_s, .stream = stream};
  std::memcpy(reinterpret_cast<std::byte*>(&added + 1), flow.record, record_bytes);
  if (flow.octets > record_bytes) {
    added.tail_octets = flow.octets - record_bytes;
    added.tail = new std::byte[added.tail_octets];
    std::memcpy(added.tail, flow.record + record_bytes, added.tail_octets);
    tail_octets_ += added.tail_octets;
  }
  link(next_++);
  return added;
}

void FlowWindow::remove_oldest() noexcept {
  const auto& leaving = oldest();
  for (const bool reversed : {false, true}) {
    auto& chain = chain_of(key_of(leaving.flow(), server_mode_, reversed));
    chain.first = next_of(chain.first);
    if (chain.first == none)
      chain.last = none;
  }
  delete[] leaving.tail;
  tail_octets_ -= leaving.tail_octets;
  const auto place = first_++ & (max_flows_ - 1);
  const bool is_last_of_chunk = (place + 1) % chunk_flows == 0 || place + 1 == max_flows_;
  auto& chunk = chunks_[place / chunk_flows];
  const bool is_used_again = size() != 0 && ((next_ - 1) & (max_flows_ - 1)) / chunk_flows == place / chunk_flows;
  if (!is_last_of_chunk || is_used_again)
    return;
  if (spare_.size() < max_spare_chunks)
    spare_.push_back(std::move(chunk));
  chunk.reset();
}

void FlowWindow::link(std::uint64_t number) noexcept {
  auto& added = entry(number);
  for (const bool reversed : {false, true}) {
    const auto node = static_cast<Node>((number & (max_flows_ - 1)) * 2 + reversed);
    auto& chain = chain_of(key_of(added.flow(), server_mode_, reversed));
    added.next[reversed] = none;
    (chain.last == none ? chain.first : next_of(chain.last)) = node;
    chain.last = node;
  }
}

/// Twice as many, so that chains stay short.
void FlowWindow::add_chains() {
  chains_.assign(chains_.size() * 2, Chain{});
  for (auto number = first_; number != next_; ++number)
    link(number);
}

void FlowWindow::save(StateWriter& state) const noexcept {
  state.put(size());
  for (auto number = first_; number != next_; ++number) {
    const auto& kept = entry(number);
    const auto& flow = kept.flow();
    state.put(Saved{kept.came_s, kept.owner_ns, kept.stream, kept.claimed});
    state.put_octets(&flow, flow.header.length - kept.tail_octets);
    state.put_octets(kept.tail, kept.tail_octets);
  }
}

std::uint64_t FlowWindow::unclaimed() const noexcept {
  std::uint64_t count = 0;
  for (auto number = first_; number != next_; ++number)
    count += !entry(number).claimed;
  return count;
}

std::uint64_t FlowWindow::memory_bytes() const noexcept {
  const auto used = std::count_if(chunks_.begin(), chunks_.end(), [](const Chunk& chunk) { return chunk != nullptr; });
  return (static_cast<std::uint64_t>(used) + spare_.size()) * chunk_flows * stride_ + chains_.size() * sizeof(Chain) +
         tail_octets_;
}

} // namespace orbweaver
