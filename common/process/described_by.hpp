// SPDX-License-Identifier: GPL-3.0-or-later
// Asks a program of ours what it has: `orbweaver-observer --describe-chains`, `orbweaver-spider --describe-plugins`.
// The answer is a JSON array with an object for each.
#pragma once

#include "common/error.hpp"
#include "common/process/stage.hpp"

#include <exception>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace orbweaver {

/// A member that is text. Throws simdjson_error where it is not there, or something else.
[[nodiscard]] inline std::string text_of(const simdjson::dom::element& object, std::string_view key) {
  return std::string(object[key].get_string().value());
}

/// What `program --describe-WHAT` lists, each object made into a description by `read`. Throws Error.
template <typename Read>
[[nodiscard]] auto described_by(std::string_view program_name, const std::string& what, Read&& read) {
  using Element = simdjson::dom::element;
  const auto program = find_program(std::string(program_name));
  const auto option = "--describe-" + what;
  const auto text = output_of(program, option);
  std::vector<std::invoke_result_t<Read, const Element&>> descriptions;
  try {
    simdjson::dom::parser parser;
    for (const Element object : parser.parse(text).get_array())
      descriptions.push_back(read(object));
  } catch (const std::exception& error) {
    throw Error(program + " " + option + " gave something else than a list of " + what + ": " + error.what());
  }
  return descriptions;
}

} // namespace orbweaver
