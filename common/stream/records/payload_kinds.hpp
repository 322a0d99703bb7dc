// SPDX-License-Identifier: GPL-3.0-or-later
// The payloads that travel with packet records, where a chosen chain asks for them: a kind is a name, a shape and a
// limit, and one entry of the table below. Capture goes over the table for each segment and datagram, unrolled at
// compile time; a kind that nobody asks for costs nothing.
#pragma once

#include "common/dns_shape.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace orbweaver {

struct PayloadKind {
  std::string_view name;  ///< lower-case letters and dashes
  std::string_view words; ///< the same in a message to people, in the plural
  std::uint32_t need;     ///< its bit in Need: of nothing else there
  std::uint32_t limit;    ///< octets of it that travel at most, up to 65,535; what is longer is cut off
  /// Whether a payload may be one, as far as it was captured; `protocol` is 6 (TCP) or 17 (UDP). Constexpr, and
  /// quick to say no, for it is asked of every packet with payload.
  bool (*fits)(std::uint8_t protocol, std::span<const std::uint8_t> payload) noexcept;
};

/// All kinds. A record names its kind by the place here, counted from 1, so that what stands here stays where it is. A
/// payload is of the first kind that was asked for and that it fits: shapes should exclude one another.
inline constexpr std::array payload_kinds{
    PayloadKind{"dns", "DNS responses", 0x04, 65'535, fits_dns_response},
};

/// Not defined: what the compiler names where a chain asks for a kind that is not in the table.
void no_payload_kind_has_that_name();

/// The number of a kind in records, from 1, by its name. A name that is not in the table does not compile.
class PayloadName {
public:
  // NOLINTNEXTLINE(google-explicit-constructor): packet.payload("dns")
  consteval PayloadName(const char* name) : number_(1) {
    while (number_ <= payload_kinds.size() && payload_kinds[number_ - 1u].name != name)
      ++number_;
    if (number_ > payload_kinds.size())
      no_payload_kind_has_that_name();
  }

  [[nodiscard]] constexpr std::uint8_t number() const noexcept { return number_; }
  [[nodiscard]] constexpr const PayloadKind& kind() const noexcept { return payload_kinds[number_ - 1u]; }

private:
  std::uint8_t number_;
};

/// Whether a payload is of the kind at that place. The function is a constant here, so that it is inlined: called by
/// way of the table it took 10 instructions a packet more.
template <std::size_t place, std::uint8_t protocol>
[[nodiscard]] constexpr bool fits_payload_kind(std::span<const std::uint8_t> payload) noexcept {
  constexpr auto fits = payload_kinds[place].fits;
  return fits(protocol, payload);
}

/// The number of the kind that a payload is of, among those that `needs` asks for; 0: of none.
template <std::uint8_t protocol>
[[nodiscard]] constexpr std::uint8_t payload_kind_of(std::uint32_t needs,
                                                     std::span<const std::uint8_t> payload) noexcept {
  std::uint8_t number = 0;
  [&]<std::size_t... place>(std::index_sequence<place...>) {
    static_cast<void>(
        (((needs & payload_kinds[place].need) && fits_payload_kind<place, protocol>(payload) && (number = place + 1)) ||
         ...));
  }
  (std::make_index_sequence<payload_kinds.size()>());
  return number;
}

} // namespace orbweaver
