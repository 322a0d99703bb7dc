// SPDX-License-Identifier: GPL-3.0-or-later
// What a hook may use besides its state and the packet, where it asks for it as its last parameter: the chain's
// options, memory of variable length that goes with the flow, and tables of events. Observer's thread; valid for the
// call.
#pragma once

#include "common/stream/records/flow_record.hpp"
#include "observer/chain/chain_fields.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace orbweaver {

/// How a flow leaves, for the hook `end`.
struct FlowEnd {
  std::uint64_t first_ns; ///< first and last packet, since the epoch
  std::uint64_t last_ns;
  EndReason reason;
};

/// What the observer does for a chain's hook; a chain has it by its ChainContext. Virtual, so that a chain of a shared
/// object needs nothing of the program that loads it.
class FlowServices {
public:
  /// Puts these octets in place of what `ref` holds. Where the flow memory is full, `ref` becomes null, which is
  /// counted.
  virtual bool store(TailRef& ref, std::span<const std::byte> octets) noexcept = 0;
  /// Adds octets behind what `ref` holds; where there is no room, it stays as it is, which is counted.
  virtual bool append(TailRef& ref, std::span<const std::byte> octets) noexcept = 0;
  virtual void release(TailRef& ref) noexcept = 0;
  [[nodiscard]] virtual std::span<const std::byte> octets(const TailRef& ref) const noexcept = 0;
  /// Gives out an event of a table of the stream.
  virtual void emit(std::uint16_t table, const std::byte* event) noexcept = 0;

protected:
  ~FlowServices() = default;
};

namespace chain_context {

template <typename Chain>
concept HasOptions = requires {
  typename Chain::Options;
  Chain::options;
};
template <typename Chain>
concept HasEvents = requires {
  Chain::events;
};

struct NoOptions {};
template <typename Chain>
struct OptionsOf {
  using Type = NoOptions;
};
template <HasOptions Chain>
struct OptionsOf<Chain> {
  using Type = typename Chain::Options;
};

/// The place of an event's type among a chain's tables.
template <typename Event, typename... Tables>
consteval std::uint16_t place_of(const std::tuple<Tables...>*) {
  static_assert((std::same_as<Event, typename Tables::Type> || ...), "no table of this chain has events of that type");
  std::uint16_t place = 0;
  static_cast<void>(((std::same_as<Event, typename Tables::Type> || (++place, false)) || ...));
  return place;
}

} // namespace chain_context

template <typename Chain>
class ChainContext {
public:
  ChainContext(FlowServices& services, const void* options, std::uint16_t first_table) noexcept
      : services_(services), options_(options), first_table_(first_table) {}

  /// What the user asked for, or the defaults.
  [[nodiscard]] const auto& options() const noexcept {
    static_assert(chain_context::HasOptions<Chain>, "a chain with options has a struct Options and an array options");
    return *static_cast<const typename chain_context::OptionsOf<Chain>::Type*>(options_);
  }

  /// Sets a text, octets or a list of the flow's state. False where there was no memory: it is null then.
  bool set(Text& to, std::string_view text) noexcept { return services_.store(to, std::as_bytes(std::span(text))); }
  bool set(OctetString& to, std::span<const std::uint8_t> octets) noexcept {
    return services_.store(to, std::as_bytes(octets));
  }
  template <typename Element>
  bool set(List<Element>& to, std::span<const std::type_identity_t<Element>> elements) noexcept {
    static_assert(!std::same_as<Element, Text>, "append the texts one by one");
    return services_.store(to, std::as_bytes(elements));
  }
  /// Adds to it at its end; a null one begins with it. False where there was no memory: it stays as it is.
  bool append(Text& to, std::string_view text) noexcept { return services_.append(to, std::as_bytes(std::span(text))); }
  bool append(OctetString& to, std::span<const std::uint8_t> octets) noexcept {
    return services_.append(to, std::as_bytes(octets));
  }
  template <typename Element>
  bool append(List<Element>& to, std::type_identity_t<Element> element) noexcept {
    return services_.append(to, std::as_bytes(std::span(&element, 1)));
  }
  bool append(List<Text>& to, std::string_view text) noexcept {
    const auto size = static_cast<std::uint32_t>(text.size());
    const TailRef before = to;
    if (services_.append(to, std::as_bytes(std::span(&size, 1))) &&
        services_.append(to, std::as_bytes(std::span(text))))
      return true;
    if (before.is_null())
      services_.release(to);
    else
      to.octets = before.octets; // half an element is none
    return false;
  }
  void clear(TailHandle& ref) noexcept { services_.release(ref); }

  /// What was set; empty for null. Valid until it is set again.
  [[nodiscard]] std::string_view get(const Text& text) const noexcept {
    const auto octets = services_.octets(text);
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
  }
  [[nodiscard]] std::span<const std::uint8_t> get(const OctetString& from) const noexcept {
    const auto octets = services_.octets(from);
    return {reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()};
  }

  /// Gives out an event now: it comes before the flow's own record.
  template <typename Event>
  void emit(const Event& event) noexcept {
    static_assert(chain_context::HasEvents<Chain>, "a chain with events has a tuple of event_table()s called events");
    constexpr const std::remove_cvref_t<decltype(Chain::events)>* tables = nullptr;
    services_.emit(static_cast<std::uint16_t>(first_table_ + chain_context::place_of<Event>(tables)),
                   reinterpret_cast<const std::byte*>(&event));
  }

private:
  FlowServices& services_;
  const void* options_;
  std::uint16_t first_table_;
};

} // namespace orbweaver
