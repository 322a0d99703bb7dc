// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/dns_message.hpp"

#include <algorithm>

namespace orbweaver::craft {
namespace {

constexpr std::uint16_t class_in = 1;
constexpr std::uint16_t type_a = 1;

Bytes header_and_question(std::uint16_t id, std::uint16_t flags, std::uint16_t answers, std::string_view name,
                          std::uint16_t type) {
  Bytes message;
  append_u16(message, id);
  append_u16(message, flags);
  append_u16(message, 1);
  append_u16(message, answers);
  append_u32(message, 0); // no authority, no additional record
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    append_u8(message, label.size());
    append(message, to_bytes(label));
    name.remove_prefix(std::min(label.size() + 1, name.size()));
  }
  append_u8(message, 0);
  append_u16(message, type);
  append_u16(message, class_in);
  return message;
}

} // namespace

Bytes dns_query(std::uint16_t id, std::string_view name, std::uint16_t type) {
  constexpr std::uint16_t recursion_desired = 0x0100;
  return header_and_question(id, recursion_desired, 0, name, type);
}

Bytes dns_response(std::uint16_t id, std::string_view name, std::span<const std::uint8_t, 4> address,
                   std::uint8_t rcode) {
  constexpr unsigned recursive_response = 0x8180;
  constexpr unsigned pointer_to_question = 0xc00c;
  constexpr unsigned time_to_live_s = 300;
  const bool answered = rcode == 0;
  Bytes message = header_and_question(id, static_cast<std::uint16_t>(recursive_response | (rcode & 0xfU)),
                                      answered ? 1 : 0, name, type_a);
  if (answered) {
    append_u16(message, pointer_to_question);
    append_u16(message, type_a);
    append_u16(message, class_in);
    append_u32(message, time_to_live_s);
    append_u16(message, address.size());
    append(message, address);
  }
  return message;
}

Bytes dns_over_tcp(const Bytes& message) {
  Bytes segment;
  append_u16(segment, message.size());
  append(segment, message);
  return segment;
}

} // namespace orbweaver::craft
