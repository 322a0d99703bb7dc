// SPDX-License-Identifier: GPL-3.0-or-later
// Octets of any origin as JSON strings (RFC 8259, 7), and back. No state, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace orbweaver::json {

/// Appends `octets` as a JSON string with its quotes. What in them is UTF-8 stays as it is; every other octet is taken
/// for the character of its number (Latin-1, 0xE9: U+00E9). Quotes, backslashes and control characters are escaped.
void append_string(std::string& out, std::string_view octets);

/// The same, printed at `out`; returns the place after it. Takes at most max_string_growth octets for each, and the
/// quotes. `quote` stands for every quotation mark: a quoted cell of CSV has two of them.
char* print_string(std::string_view octets, char* out, std::string_view quote = "\"") noexcept;

inline constexpr std::size_t max_string_growth = 6; ///< \u001f

/// Octets of the character of UTF-8 that the text begins with, which is not empty; 0 where that is none.
[[nodiscard]] std::size_t character_octets(std::string_view text) noexcept;

/// Prints the character of an octet's number in UTF-8; the octet is above 0x7F.
char* print_latin1(char octet, char* out) noexcept;

/// How many octets from the beginning are whole characters of UTF-8 (RFC 3629): all of them where the text is valid.
[[nodiscard]] std::size_t valid_utf8_octets(std::string_view text) noexcept;

/// What a valid JSON string says: `written` is the text between its quotes.
[[nodiscard]] std::string unescaped(std::string_view written);

} // namespace orbweaver::json
