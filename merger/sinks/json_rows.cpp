// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/json_rows.hpp"

namespace orbweaver {

JsonRows::JsonRows(const TableDescription& table, std::string_view beginning)
    : beginning_(beginning.empty() ? "" : "{"), record_octets_(table.record_octets) {
  beginning_ += beginning;
  for (const auto& field : table.fields) {
    const auto label = add_label(field.name);
    const auto mirror = field.mirror.empty() ? label : add_label(field.mirror);
    steps_.push_back({text_of<JsonStyle>(field), label, mirror});
    max_octets_ += std::max(label.octets, mirror.octets) + steps_.back().text.max_octets;
  }
  labels_.append(field_slack, '\0');
  max_octets_ += beginning_.size() + sizeof "{}\n" + field_slack;
}

JsonRows::Label JsonRows::add_label(std::string_view name) {
  const auto at = static_cast<std::uint32_t>(labels_.size());
  labels_ += ",\"";
  labels_ += name;
  labels_ += "\":";
  return {at, static_cast<std::uint32_t>(labels_.size()) - at};
}

char* JsonRows::print(const RowView& row, char* out) const noexcept {
  char* const begin = out;
  if (!beginning_.empty()) {
    std::memcpy(out, beginning_.data(), beginning_.size());
    out += beginning_.size();
  } else if (steps_.empty()) {
    ++out;
  }
  for (const auto& step : steps_) {
    out = print_label(step.label, out);
    out = step.text.print(step.text, row, out);
  }
  *begin = '{'; // in the place of the first comma
  std::memcpy(out, "}\n", 2);
  return out + 2;
}

char* JsonRows::print_members(const RowView& row, const std::vector<Wanted>& wanted, bool mirrored,
                              char* out) const noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (wanted[i] == Wanted::no)
      continue;
    const auto& step = steps_[i];
    out = print_label(mirrored ? step.mirror : step.label, out);
    out = step.text.print(step.text, row, out);
  }
  return out;
}

} // namespace orbweaver
