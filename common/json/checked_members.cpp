// SPDX-License-Identifier: GPL-3.0-or-later
#include "common/json/checked_members.hpp"

#include <algorithm>

namespace orbweaver::json {

bool CheckedMembers::may_stand(std::string_view key, std::size_t others) {
  const auto end = places_.begin() + static_cast<std::ptrdiff_t>(others);
  const char* why = nullptr;
  if (std::ranges::find(reserved_, key) != reserved_.end())
    why = "that key is reserved";
  else if (std::find_if(places_.begin(), end, [key](const auto& place) { return place.key == key; }) != end)
    why = "that key is there already";
  if (why)
    left_out_.push_back({std::string(key), why});
  return !why;
}

void CheckedMembers::begin(std::string_view key) {
  places_.push_back({std::string(key), text_.size() + !text_.empty(), 0});
  append_key(text_, key);
}

void CheckedMembers::end() {
  places_.back().octets = text_.size() - places_.back().at;
}

void CheckedMembers::add_json(std::string_view key, std::string_view value) {
  if (const auto verdict = check_value(value); !verdict)
    left_out_.push_back({std::string(key), to_string(verdict)});
  else
    add_built(key, [value](std::string& out) { out += value; });
}

void CheckedMembers::add_members(std::string_view members) {
  std::vector<Member> split;
  if (const auto verdict = split_members(members, split); !verdict) {
    left_out_.push_back({{}, to_string(verdict)});
    return;
  }
  const auto others = places_.size(); // a key that comes twice in the text is as its author wants it
  for (const Member& member : split) {
    // Who reads the members goes by their keys: an escaped one must not stand for another.
    const auto key = unescaped(member.key);
    if (!may_stand(key, others))
      continue;
    begin(key);
    text_ += member.value;
    end();
  }
}

void CheckedMembers::shorten_to(std::size_t octets, std::string_view limit) {
  while (text_.size() > octets) {
    const auto longest = std::ranges::max_element(places_, {}, &Place::octets);
    auto why = "its " + std::to_string(longest->octets) + " octets are too many: ";
    left_out_.push_back({longest->key, why.append(limit)});
    remove(static_cast<std::size_t>(longest - places_.begin()));
  }
}

/// With the comma behind it, or where it is the last one the comma before it.
void CheckedMembers::remove(std::size_t place) {
  const auto at = places_[place].at, octets = places_[place].octets;
  const bool last = place + 1 == places_.size();
  const std::size_t begin = last && place > 0 ? at - 1 : at;
  const std::size_t cut = std::min(octets + 1, text_.size() - begin);
  text_.erase(begin, cut);
  places_.erase(places_.begin() + static_cast<std::ptrdiff_t>(place));
  for (auto& behind : std::span(places_).subspan(place))
    behind.at -= cut;
}

} // namespace orbweaver::json
