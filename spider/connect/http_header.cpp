// SPDX-License-Identifier: GPL-3.0-or-later
#include "spider/connect/http_header.hpp"

#include <algorithm>

namespace orbweaver {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view blank = " \t\r\n";
  const auto begin = text.find_first_not_of(blank);
  return begin == text.npos ? std::string_view{} : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return result;
}

} // namespace

bool HttpHeader::add_line(std::string_view line) {
  if (line.size() > left_ || fields_.size() > max_fields) {
    truncated_ = true;
    return false;
  }
  left_ -= line.size();
  if (line.starts_with("HTTP/")) {
    begun_ = true;
    ended_ = false;
    fields_.clear();
  } else if (trimmed(line).empty()) {
    ended_ = true;
  } else if (!ended_) {
    add_field(line);
  }
  return true;
}

void HttpHeader::add_field(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') { // folded (RFC 9112, 5.2)
    if (!fields_.empty())
      fields_[last_].values.back().append(" ").append(trimmed(line));
    return;
  }
  const auto colon = line.find(':');
  if (colon == line.npos)
    return;
  auto name = lower_case(trimmed(line.substr(0, colon)));
  const auto known =
      std::find_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.name == name; });
  last_ = static_cast<std::size_t>(known - fields_.begin());
  if (known == fields_.end())
    fields_.push_back({std::move(name), {}});
  fields_[last_].values.emplace_back(trimmed(line.substr(colon + 1)));
}

void HttpHeader::describe(json::Object& object) const {
  for (const auto& [name, values] : fields_) {
    if (values.size() == 1)
      object.add(name, values.front());
    else
      object.array(name).add_all(values);
  }
}

} // namespace orbweaver
