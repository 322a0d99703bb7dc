// SPDX-License-Identifier: GPL-3.0-or-later
#include "observer/flows/flow_scope.hpp"

namespace orbweaver {

void FlowScope::give_out(const FlowRecord& record) noexcept {
  tails_.clear();
  for (const auto& field : choice_.tails(0)) {
    TailRef ref;
    std::memcpy(&ref, flow_->states() + (field.offset - sizeof(FlowRecord)), sizeof ref);
    tails_.push_back({field.offset, memory_.octets(ref)});
  }
  sink_.row({0, std::as_bytes(std::span(&record, 1)), {flow_->states(), choice_.record_bytes()}, tails_});
}

void FlowScope::emit(std::uint16_t table, const std::byte* event) noexcept {
  const auto ends = ends_of(*flow_);
  const EventRecord core{.header = {},
                         .time_ns = time_ns_,
                         .source_port = ends.source_port,
                         .destination_port = ends.destination_port,
                         .source = ends.source,
                         .destination = ends.destination,
                         .protocol = flow_->key.protocol,
                         .reserved = {}};
  const auto fields = choice_.tails(table);
  body_.assign(choice_.event_octets(table), std::byte{0});
  std::memcpy(body_.data(), event, choice_.event_struct_octets(table));
  views_.clear();
  views_.reserve(1); // an empty text is not null
  tails_.clear();
  for (const auto& field : fields) {
    const auto before = views_.size();
    const auto at = field.offset - sizeof(EventRecord);
    const bool there = field.append_view(event + at, views_);
    std::memset(body_.data() + at, 0, field.view_octets); // a view's pointer is nobody else's business
    tails_.push_back({field.offset, {there ? event : nullptr, views_.size() - before}});
  }
  // Only once all octets are there it is known where they lie.
  const std::byte* octets = views_.data();
  for (auto& tail : tails_)
    if (tail.octets.data()) {
      tail.octets = {octets, tail.octets.size()};
      octets += tail.octets.size();
    }
  ++events_;
  sink_.row({table, std::as_bytes(std::span(&core, 1)), body_, tails_});
}

} // namespace orbweaver
