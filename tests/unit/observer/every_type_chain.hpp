// SPDX-License-Identifier: GPL-3.0-or-later
// A chain with a field of every type, tables of events, options and all hooks: what a chain may be, and what tests of
// rows are made with.
#pragma once

#include "observer/chain.hpp"

#include <array>
#include <string_view>
#include <tuple>

namespace orbweaver::test {

enum class Colour : std::uint8_t { red = 0, green = 2 };
constexpr std::array<std::string_view, 3> enumerator_names(Colour) noexcept {
  return {"red", "", "green"};
}

struct EveryTypeChain {
  static constexpr std::string_view name = "every";
  static constexpr std::string_view summary = "a field of every type";
  static constexpr std::uint32_t needs = Need::none;
  using Context = ChainContext<EveryTypeChain>;

  struct Options {
    std::uint32_t packets = 3;
    std::int16_t shift = -1;
    double share = 0.5;
    bool loud = false;
  };
  inline static const auto options = std::array{
      option("packets", "packets that are remembered", &Options::packets, 1U, 10U),
      option("shift", "added to i16", &Options::shift, std::int16_t{-5}, std::int16_t{5}),
      option("share", "what f64 is", &Options::share, 0.0, 1.0),
      option("loud", "whether a packet is an event", &Options::loud),
  };

  struct State {
    bool boolean = true;
    std::uint8_t u8 = 8;
    std::uint16_t u16 = 16;
    std::uint32_t u32 = 32;
    std::uint64_t u64 = ~std::uint64_t{0};
    std::int8_t i8 = -8;
    std::int16_t i16 = -16;
    std::int32_t i32 = -32;
    std::int64_t i64 = -64;
    double f64 = 0;
    TimeNs time{};
    DurationNs duration{1'500'000'000};
    Colour colour = Colour::green;
    MacAddress mac{{0, 1, 2, 3, 4, 5}};
    Nullable<bool> boolean_or_null;
    Nullable<std::uint8_t> u8_or_null;
    Nullable<std::uint16_t> u16_or_null;
    Nullable<std::uint32_t> u32_or_null;
    Nullable<std::uint64_t> u64_or_null;
    Nullable<std::int8_t> i8_or_null;
    Nullable<std::int16_t> i16_or_null;
    Nullable<std::int32_t> i32_or_null;
    Nullable<std::int64_t> i64_or_null;
    Nullable<double> f64_or_null;
    Nullable<TimeNs> time_or_null;
    Nullable<DurationNs> duration_or_null;
    Nullable<Colour> colour_or_null;
    Nullable<MacAddress> mac_or_null;
    Address address{{192, 0, 2, 1}, 4};
    Text text;
    OctetString octets;
    List<std::uint16_t> lengths;
    List<std::int64_t> gaps;
    List<double> shares;
    List<Text> words;
    std::uint32_t seen = 0;
  };

  inline static const auto fields = std::array{
      field("every_bool", "a bool", &State::boolean),
      field("every_u8", "a u8", &State::u8),
      field("every_u16", "a u16", &State::u16),
      field("every_u32", "a u32", &State::u32),
      field("every_u64", "a u64", &State::u64).in("octets").ipfix_element("octetDeltaCount"),
      field("every_i8", "an i8", &State::i8),
      field("every_i16", "an i16", &State::i16),
      field("every_i32", "an i32", &State::i32),
      field("every_i64", "an i64", &State::i64),
      field("every_f64", "a double", &State::f64),
      field("every_time", "a time", &State::time),
      field("every_duration", "a duration", &State::duration),
      field("every_colour", "an enumeration", &State::colour),
      field("every_mac", "a MAC address", &State::mac),
      field("every_bool_or_null", "a bool or null", &State::boolean_or_null),
      field("every_u8_or_null", "a u8 or null", &State::u8_or_null),
      field("every_u16_or_null", "a u16 or null", &State::u16_or_null),
      field("every_u32_or_null", "a u32 or null", &State::u32_or_null),
      field("every_u64_or_null", "a u64 or null", &State::u64_or_null),
      field("every_i8_or_null", "an i8 or null", &State::i8_or_null),
      field("every_i16_or_null", "an i16 or null", &State::i16_or_null),
      field("every_i32_or_null", "an i32 or null", &State::i32_or_null),
      field("every_i64_or_null", "an i64 or null", &State::i64_or_null),
      field("every_f64_or_null", "a double or null", &State::f64_or_null),
      field("every_time_or_null", "a time or null", &State::time_or_null),
      field("every_duration_or_null", "a duration or null", &State::duration_or_null),
      field("every_colour_or_null", "an enumeration or null", &State::colour_or_null),
      field("every_mac_or_null", "a MAC address or null", &State::mac_or_null),
      field("every_address", "an address", &State::address),
      field("every_text", "a text", &State::text),
      field("every_octets", "octets", &State::octets),
      field("every_lengths", "a list of u16", &State::lengths),
      field("every_gaps", "a list of i64", &State::gaps),
      field("every_shares", "a list of double", &State::shares),
      field("every_words", "a list of texts", &State::words),
  };

  struct Seen {
    std::uint32_t number = 0;
    std::string_view what;
    std::span<const std::uint16_t> lengths;
    std::span<const std::string_view> words;
  };
  struct Ended {
    EndReason reason{};
  };
  inline static const auto events = std::tuple{
      event_table<Seen>("every_seen", "a packet that was seen",
                        std::array{field("number", "which one", &Seen::number), field("what", "what", &Seen::what),
                                   field("lengths", "lengths so far", &Seen::lengths),
                                   field("words", "words", &Seen::words)}),
      event_table<Ended>("every_ended", "a flow that ended", std::array{field("reason", "why", &Ended::reason)}),
  };

  static bool new_flow(State& state, PacketView packet, Context& context) noexcept {
    state.time.ns = packet->time_ns;
    state.i16 = static_cast<std::int16_t>(state.i16 + context.options().shift);
    state.f64 = context.options().share;
    return true;
  }

  static bool ip(State& state, PacketView packet, bool rev, Context& context) noexcept {
    if (state.seen++ >= context.options().packets)
      return true;
    const auto length = static_cast<std::uint16_t>(packet->ip_length);
    context.append(state.lengths, length);
    context.append(state.gaps, std::int64_t{rev ? -1 : 1} * length);
    context.append(state.shares, length / 2.0);
    context.append(state.words, rev ? "re\"verse" : "forward");
    context.set(state.text, std::string(state.seen, 'x'));
    const std::uint8_t octets[] = {0, 255, static_cast<std::uint8_t>(state.seen)};
    context.set(state.octets, octets);
    state.u64_or_null.set(~std::uint64_t{0});
    state.i64_or_null.set(-1);
    state.f64_or_null.set(0.25);
    state.i8_or_null.set(-1);
    state.colour_or_null.set(Colour::red);
    if (context.options().loud) {
      const std::uint16_t lengths[] = {length, 1};
      const std::string_view words[] = {"a", "", "b,c"};
      context.emit(Seen{state.seen, rev ? "answer" : "question", lengths, words});
    }
    return true;
  }

  static void end(State& state, const FlowEnd& end, Context& context) noexcept {
    state.duration.ns = end.last_ns - end.first_ns;
    if (context.options().loud)
      context.emit(Ended{end.reason});
  }
};

} // namespace orbweaver::test
