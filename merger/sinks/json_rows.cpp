// SPDX-License-Identifier: GPL-3.0-or-later
#include "merger/sinks/json_rows.hpp"

namespace orbweaver {

template <typename Type, bool has_long_label>
char* JsonRows::print_member(const Step& step, const std::byte* record, char* out) noexcept {
  out = step.label.print<has_long_label>(out);
  return field_text::print<JsonStyle, Type>(record, step.text.offset, step.text.names.get(), out);
}

JsonRows::JsonRows(const TableDescription& table, std::string_view beginning)
    : beginning_(beginning.empty() ? "" : "{"), record_octets_(table.record_octets) {
  beginning_ += beginning;
  for (const auto& field : table.fields) {
    const auto label = add_label(field.name);
    const auto mirror = field.mirror.empty() ? label : add_label(field.mirror);
    const auto print = visit_field(field.type, [&]<typename Type>() {
      return label.is_long() ? &print_member<Type, true> : &print_member<Type, false>;
    });
    steps_.push_back({print, label, text_of<JsonStyle>(field), mirror});
    max_octets_ += std::max(label.octets, mirror.octets) + steps_.back().text.max_octets;
  }
  max_octets_ += beginning_.size() + sizeof "{}\n" + field_slack;
}

JsonRows::Label JsonRows::add_label(std::string_view name) {
  const auto text = ",\"" + std::string(name) + "\":";
  labels_.push_back(std::make_unique<char[]>(text.size() + field_slack));
  std::memcpy(labels_.back().get(), text.data(), text.size());
  return {labels_.back().get(), text.size()};
}

char* JsonRows::print(RowView row, char* out) const noexcept {
  char* const begin = out;
  if (!beginning_.empty()) {
    std::memcpy(out, beginning_.data(), beginning_.size());
    out += beginning_.size();
  } else if (steps_.empty()) {
    ++out;
  }
  for (const auto& step : steps_)
    out = step.print(step, row.record, out);
  *begin = '{'; // in the place of the first comma
  std::memcpy(out, "}\n", 2);
  return out + 2;
}

char* JsonRows::print_members(RowView row, const std::vector<Wanted>& wanted, bool mirrored, char* out) const noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (wanted[i] == Wanted::no)
      continue;
    const auto& step = steps_[i];
    out = step.text.print(row, (mirrored ? step.mirror : step.label).print<true>(out));
  }
  return out;
}

} // namespace orbweaver
