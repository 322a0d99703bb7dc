// SPDX-License-Identifier: GPL-3.0-or-later
// The members of a JSON object as text (RFC 8259, section 4): checked to the last octet, split, and written again as
// they came, numbers and all, so that what a user put into a job comes out unchanged. No state, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace orbweaver {

struct JsonMember {
  std::string_view key;   ///< between its quotes, as it is written: escapes are not resolved
  std::string_view value; ///< any JSON text, without white space around it
};

/// Splits `"a":1,"b":[2]`, the text between the braces of an object. False where it is anything else: then `members` is
/// of no use. A line feed is refused, though JSON allows it, since every object is to be one line. Arrays and objects
/// may lie in one another 1024 deep, as simdjson has it.
[[nodiscard]] bool split_members(std::string_view text, std::vector<JsonMember>& members);

/// Adds `"key":value` to members that are there already, with a comma if need be: `object` is text since its brace.
void append_member(std::string& object, std::string_view key, std::string_view value);

/// Adds any text as a JSON string with its quotes. What is not UTF-8 is taken for Latin-1.
void append_string(std::string& text, std::string_view string);

} // namespace orbweaver
