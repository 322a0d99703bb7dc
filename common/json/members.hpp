// SPDX-License-Identifier: GPL-3.0-or-later
// The members of a JSON object as text (RFC 8259, section 4): checked to the last octet, split, and written again as
// they came, numbers and all, so that what a user put into a job comes out unchanged. No state, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace orbweaver::json {

struct Member {
  std::string_view key;   ///< between its quotes, as it is written: escapes are not resolved
  std::string_view value; ///< any JSON text, without white space around it
};

/// Whether a text is what it should be; true where it is. Else what was expected, in a few words, and at which octet,
/// from 0, something else stands (or nothing).
struct Verdict {
  const char* expected = nullptr;
  std::size_t offset = 0;

  [[nodiscard]] explicit operator bool() const noexcept { return !expected; }
};

/// "a comma is expected at octet 12"; for a verdict that is not good.
[[nodiscard]] std::string to_string(const Verdict& verdict);

/// Splits `"a":1,"b":[2]`, the text between the braces of an object. Where the verdict is not good `members` is of no
/// use. A line feed is refused, though JSON allows it, since every object is to be one line. Arrays and objects may lie
/// in one another 1024 deep, as simdjson has it.
[[nodiscard]] Verdict split_members(std::string_view text, std::vector<Member>& members);

/// Whether a text is one value and nothing else, as split_members() takes it for a member's.
[[nodiscard]] Verdict check_value(std::string_view text);

/// Adds `"key":value` to members that are there already, with a comma if need be: `members` is empty, or text since its
/// brace. Both are written as they are: they come from split_members(), or are known to be JSON.
void append_member(std::string& members, std::string_view key, std::string_view value);

} // namespace orbweaver::json
