// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/measure/job_flow.hpp"

#include <algorithm>
#include <cstring>
#include <simdjson.h>

namespace orbweaver {

std::uint64_t MergedFlow::ring_drops() const {
  if (!observed())
    return 0;
  FlowRecord flow;
  std::memcpy(&flow, job_.flow(connection_), sizeof flow);
  // One that had to leave the table before its time may have gone on.
  const bool cut = flow.end_reason == EndReason::lack_of_resources || flow.end_reason == EndReason::active_timeout;
  return std::max<std::uint64_t>(flow.ring_drops, connection_.lossy || connection_.reversed || cut);
}

std::optional<std::int64_t> MergedFlow::number(FieldRef field) const {
  if (!observed())
    return std::nullopt;
  const auto* const fields = standing_fields_->has(field) ? standing_fields_ : fields_;
  return fields->number(field, job_.flow(connection_), connection_.reversed);
}

std::optional<std::string> MergedFlow::member(std::string_view pointer) const {
  std::string object = "{";
  object += job_.members(connection_);
  object += '}';
  simdjson::dom::parser parser;
  simdjson::dom::element found;
  if (parser.parse(object).at_pointer(pointer).get(found) != simdjson::SUCCESS)
    return std::nullopt;
  if (std::string_view text; found.get(text) == simdjson::SUCCESS)
    return std::string(text);
  return simdjson::minify(found);
}

} // namespace orbweaver
