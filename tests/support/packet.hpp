// SPDX-License-Identifier: GPL-3.0-or-later
// How test packets are put together: layers joined by `/`, outermost first, and turned into bytes from the inside out.
//
// A layer is any copyable type with `void prepend(Assembly&) const`: it puts its header before the bytes that are
// there, and leaves in the assembly what the layer around it must know. A packet is a layer too.
#pragma once

#include "tests/support/bytes.hpp"

#include <concepts>
#include <functional>
#include <optional>
#include <utility>

namespace orbweaver::craft {

/// A transport checksum that waits for the addresses of the IP header around it (the pseudo-header of RFC 9293, section
/// 3.1, and RFC 8200, section 8.1). Offsets count back from the end of the datagram, since headers go in at its front.
struct PendingChecksum {
  std::size_t field_from_end;
  std::size_t start_from_end;
  std::size_t coverage;      // octets summed from the start
  std::uint32_t length;      // what the pseudo-header says
  std::uint8_t protocol;     // what the pseudo-header says
  bool zero_is_sent_as_ones; // UDP: a sum of 0 is sent as 0xffff
};

/// A packet half built: everything from the layer that was added last to the end of the frame.
struct Assembly {
  static constexpr std::uint8_t experimental_protocol = 253; // RFC 3692: a payload that names no protocol of its own

  Bytes bytes;
  std::uint8_t ip_protocol = experimental_protocol; // how an IP header around it names it
  std::uint16_t ether_type = 0;                     // how a link layer around it names it
  std::uint16_t ppp_protocol = 0;                   // how PPP around it names it
  std::optional<PendingChecksum> checksum;
};

template <typename T>
concept Layer = requires(const T& layer, Assembly& assembly) {
  layer.prepend(assembly);
};

class Packet {
public:
  Packet() = default;

  template <Layer L>
  requires(!std::same_as<L, Packet>) Packet(const L& layer) // a single layer is a packet
      : layers_{[layer](Assembly& assembly) { layer.prepend(assembly); }} {}

  Packet(const Packet&) = default;
  Packet(Packet&&) = default;
  Packet& operator=(const Packet&) = default;
  Packet& operator=(Packet&&) = default;

  void prepend(Assembly& assembly) const {
    for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer)
      (*layer)(assembly);
  }

  /// The packet from its outermost header on, with lengths and checksums filled in.
  Bytes bytes() const {
    Assembly assembly;
    prepend(assembly);
    return std::move(assembly.bytes);
  }

  operator Bytes() const { return bytes(); }

  friend Packet operator/(Packet outer, const Packet& inner) {
    outer.layers_.insert(outer.layers_.end(), inner.layers_.begin(), inner.layers_.end());
    return outer;
  }

private:
  std::vector<std::function<void(Assembly&)>> layers_; // outermost first
};

template <Layer Outer, Layer Inner>
Packet operator/(const Outer& outer, const Inner& inner) {
  return Packet(outer) / Packet(inner);
}

/// Plain bytes, the innermost layer.
struct Payload {
  Bytes content;
  void prepend(Assembly& assembly) const { craft::prepend(assembly.bytes, content); }
};

inline Payload payload(std::string_view text) {
  return {to_bytes(text)};
}
inline Payload payload(Bytes content) {
  return {std::move(content)};
}

/// `count` zero bytes.
inline Payload zeros(std::size_t count) {
  return {Bytes(count)};
}

} // namespace orbweaver::craft
