// SPDX-License-Identifier: GPL-3.0-or-later
// What a flow analysis chain is made of. A chain is a struct in chains/ with only static members:
//
//   name, summary   what users call it, and what it says of a flow in a few words
//   needs       what it reads of packets beyond the fields that all have (Need)
//   State           what it remembers of one flow: trivially copyable; a new flow starts with State{}
//   fields          its fields, made with field(); they print in this order
//   hooks           any of the functions below; those that are not there cost nothing
//
// Hooks, each `static bool hook(State&, PacketView, bool rev) noexcept`, `rev` telling the reverse direction; they
// return whether to go on: false says that the flow is complete. Every chosen chain sees every packet all the same.
//
//   new_flow(State&, PacketView)  once, before the others; false vetoes the flow: its packets are ignored and counted
//   ip4, ip6, or ip for both      every IP datagram, but not an ICMP error that belongs to the flow it quotes
//   icmp4, icmp6                  every ICMP message; an error that quotes the flow runs these alone
//   tcp, udp                      a segment or datagram whose header was captured
//   l4                            a datagram of any other protocol
#pragma once

#include "common/stream/flow_record.hpp"
#include "common/stream/packet_record.hpp"
#include "common/stream/stream_header.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace orbweaver {

/// A value that prints as null until it is set. Lies in a flow record as the next larger signed integer, -1 for null.
template <typename Value>
class Nullable {
public:
  using Storage =
      std::conditional_t<sizeof(Value) == 1 && std::same_as<Value, bool>, std::int8_t,
                         std::conditional_t<sizeof(Value) == 1, std::int16_t,
                                            std::conditional_t<sizeof(Value) == 2, std::int32_t, std::int64_t>>>;
  [[nodiscard]] bool is_null() const noexcept { return stored_ < 0; }
  [[nodiscard]] Value value() const noexcept { return static_cast<Value>(stored_); }
  void set(Value value) noexcept { stored_ = static_cast<Storage>(value); }
  void clear() noexcept { stored_ = -1; }
  /// Sets it the first time only.
  void set_first(Value value) noexcept {
    if (is_null())
      set(value);
  }

private:
  Storage stored_ = -1;
};

/// A field of a chain: its name and where it lies in the chain's State, or in the FlowRecord that every flow has.
struct ChainField {
  std::string_view name;
  FieldType type;
  std::uint32_t offset;
  bool in_core = false;
};

template <typename Value>
consteval FieldType field_type() {
  if constexpr (std::same_as<Value, bool>)
    return FieldType::boolean;
  else if constexpr (std::same_as<Value, std::uint8_t>)
    return FieldType::u8;
  else if constexpr (std::same_as<Value, std::uint16_t>)
    return FieldType::u16;
  else if constexpr (std::same_as<Value, std::uint32_t>)
    return FieldType::u32;
  else if constexpr (std::same_as<Value, std::uint64_t>)
    return FieldType::u64;
  else if constexpr (std::same_as<Value, Nullable<bool>>)
    return FieldType::boolean_or_null;
  else if constexpr (std::same_as<Value, Nullable<std::uint8_t>>)
    return FieldType::u8_or_null;
  else if constexpr (std::same_as<Value, Nullable<std::uint16_t>>)
    return FieldType::u16_or_null;
  else
    return FieldType::u32_or_null;
}

/// The field that a member of a State is: `field("pkt_fwd", &State::packets, 0)`; an array's element by its indices.
template <typename State, typename Member, typename... Index>
ChainField field(std::string_view name, Member State::*member, Index... index) {
  static const State sample{};
  const auto locate = [](const auto& self, const auto& object, auto first, auto... rest) {
    if constexpr (sizeof...(rest) == 0)
      return &object[first];
    else
      return self(self, object[first], rest...);
  };
  const auto* element = [&] {
    if constexpr (sizeof...(index) == 0)
      return &(sample.*member);
    else
      return locate(locate, sample.*member, index...);
  }();
  using Value = std::remove_cvref_t<decltype(*element)>;
  const auto offset = reinterpret_cast<const std::byte*>(element) - reinterpret_cast<const std::byte*>(&sample);
  return {name, field_type<Value>(), static_cast<std::uint32_t>(offset)};
}

/// A field that FlowRecord has for every flow.
constexpr ChainField core_field(std::string_view name, FieldType type, std::size_t offset) {
  return {name, type, static_cast<std::uint32_t>(offset), true};
}

} // namespace orbweaver
