// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/frame_dissector.hpp"

#include "capture/links/tunnels.hpp"

#include <algorithm>
#include <optional>

namespace orbweaver {
namespace {

bool is_ip(const NetworkLayer& network) noexcept {
  return network.kind == Network::ipv4 || network.kind == Network::ipv6;
}

/// How much is noted of the headers on the way to a packet.
struct Noted {
  explicit Noted(const LinkHeaders& headers) noexcept
      : ethernet(headers.ethernet), ether_type(headers.ether_type), tags(headers.tag_count),
        layers(headers.layer_count) {}
  /// What was noted since is not there.
  void restore(LinkHeaders& headers) const noexcept {
    headers.tag_count = tags;
    headers.layer_count = layers;
    keep_frame(headers);
  }
  /// Of Ethernet what the frame itself has is told.
  void keep_frame(LinkHeaders& headers) const noexcept {
    headers.ethernet = ethernet;
    headers.ether_type = ether_type;
  }

  const std::uint8_t* ethernet;
  std::uint16_t ether_type;
  std::uint32_t tags, layers;
};

/// Whether a protocol may be a tunnel's at all.
constexpr bool may_be_tunnel(std::uint8_t protocol) noexcept {
  return protocol == 17 || protocol == 4 || protocol == 41 || protocol == 47 || protocol == 97 || protocol == 115 ||
         protocol == 137;
}

OuterDatagram outer_of(const PacketDraft& draft) noexcept {
  const FlowKeyHead& key = draft.record.key;
  const std::uint32_t half = addresses_length(key.version) / 2;
  const bool from_high = draft.record.bits & PacketBits::from_high;
  return {draft.transport,
          key.version,
          key.protocol,
          draft.addresses + (from_high ? half : 0),
          draft.addresses + (from_high ? 0 : half),
          (draft.record.bits & PacketBits::fragment) != 0};
}

/// A quoted IP header as a tunnel's may be; nothing where it is not there or a later fragment's.
std::optional<OuterDatagram> quoted_datagram(std::span<const std::uint8_t> quoted) noexcept {
  if (quoted.size() < 20)
    return std::nullopt;
  const std::uint8_t* const ip = quoted.data();
  auto available = static_cast<std::uint32_t>(quoted.size());
  std::uint32_t headers, length;
  OuterDatagram outer{};
  outer.version = static_cast<std::uint8_t>(ip[0] >> 4);
  if (outer.version == 4) {
    headers = (ip[0] & 0x0fu) * 4;
    length = be16(ip + 2);
    outer.protocol = ip[9];
    outer.source = ip + 12;
    outer.destination = ip + 16;
    if (headers < 20 || be16(ip + 6) & 0x1fff)
      return std::nullopt;
  } else {
    if (outer.version != 6 || available < 40)
      return std::nullopt;
    length = 40u + be16(ip + 4);
    const ExtensionWalk walk = walk_extension_headers(ip, std::min(available, length));
    if (walk.end != ExtensionWalk::End::transport || walk.is_later_fragment())
      return std::nullopt;
    headers = walk.headers;
    outer.protocol = walk.protocol;
    outer.source = ip + 8;
    outer.destination = ip + 24;
  }
  available = std::min(available, length);
  if (available <= headers)
    return std::nullopt;
  outer.transport = {ip + headers, available - headers, length - headers};
  outer.is_fragment = true; // a quotation is a part of a datagram
  return outer;
}

} // namespace

/// The packet in the one at hand; false where there is none.
bool FrameDissector::take_off(LinkHeaders& headers) noexcept {
  const PacketDraft& outer = drafts_[depth_];
  if (!may_be_tunnel(outer.record.key.protocol) || (outer.record.bits & PacketBits::icmp_error) ||
      outer.is_later_fragment)
    return false;
  if (depth_ == max_tunnels || headers.layer_count == headers.layers.size()) {
    left_on_ = true;
    return false;
  }
  const OuterDatagram datagram = outer_of(outer);
  const Noted noted(headers);
  const NetworkLayer network = look_into_tunnel(datagram, taken_, headers);
  const bool is_tunnel = headers.layer_count > noted.layers;
  PacketDraft& inner = drafts_[depth_ + 1];
  if (is_ip(network)) {
    noted.keep_frame(headers);
    inner.begin(outer.record.time_ns);
    add_key_extension(headers, needs_, taken_, inner);
    dissection::add_link_blocks(headers, needs_, inner);
    if (dissection::packet_in(network, datagram.transport.octets, needs_, inner) == Outcome::packet &&
        !(inner.faults & Fault::ip_length)) {
      orient_key_extension(inner, needs_);
      ++depth_;
      return true;
    }
  }
  left_on_ |= is_tunnel;
  noted.restore(headers);
  return false;
}

/// Makes an ICMP error that quotes a tunnel's packet one that quotes what was in it. The way back is the error's.
void FrameDissector::look_into_quotation(LinkHeaders& headers) noexcept {
  PacketDraft& error = drafts_[depth_];
  std::span<const std::uint8_t> quoted = dissection::quotation_of(error);
  const Noted noted(headers);
  std::span<const std::uint8_t> inner;
  std::uint32_t inner_tags = noted.tags, inner_layers = noted.layers;
  for (std::uint32_t depth = 0; depth < max_tunnels - depth_ && headers.layer_count < headers.layers.size(); ++depth) {
    const auto datagram = quoted_datagram(quoted);
    if (!datagram || !may_be_tunnel(datagram->protocol))
      break;
    const NetworkLayer network = look_into_tunnel(*datagram, taken_, headers);
    if (!is_ip(network))
      break;
    quoted = {datagram->transport.octets + network.offset, network.captured_end - network.offset};
    const std::uint8_t version = network.kind == Network::ipv4 ? 4 : 6;
    if (version == error.record.key.version && quoted.size() >= (version == 4 ? 20U : 40U)) {
      inner = quoted;
      inner_tags = headers.tag_count;
      inner_layers = headers.layer_count;
    }
  }
  noted.keep_frame(headers);
  headers.tag_count = inner_tags;
  headers.layer_count = inner_layers;
  if (inner.empty() || !dissection::quote(inner, needs_, error))
    return;
  for (std::uint32_t place = noted.layers; place < headers.layer_count; ++place) {
    NotedLayer& layer = headers.layers[place];
    const std::uint32_t half = layer.head.version == 0 ? 0 : addresses_length(layer.head.version) / 2;
    std::swap_ranges(layer.addresses.begin(), layer.addresses.begin() + half, layer.addresses.begin() + half);
  }
  PacketDraft extended;
  extended.begin(0);
  add_key_extension(headers, needs_, taken_, extended);
  error.record.key.extended = extended.record.key.extended;
  replace_block(error, PacketBlock::key_extension, extended.key_extension());
  std::uint8_t octets[max_tunnel_octets];
  if (needs_ & Need::tunnels)
    replace_block(error, PacketBlock::tunnels, {octets, tunnel_octets(headers, octets)});
  orient_key_extension(error, needs_);
  error.record.header.length = error.length();
}

Outcome FrameDissector::dissect_within(const Frame& frame) noexcept {
  depth_ = 0;
  left_on_ = false;
  PacketDraft& first = drafts_[0];
  first.begin(frame.time_ns);
  LinkHeaders headers;
  const NetworkLayer network = walk_link_layers(frame, &headers);
  add_key_extension(headers, needs_, taken_, first);
  dissection::add_link_blocks(headers, needs_, first);
  const Outcome outcome = dissection::packet_in(network, frame.data, needs_, first);
  if (outcome != Outcome::packet)
    return outcome;
  orient_key_extension(first, needs_);
  while (take_off(headers)) {
  }
  if (packet().record.bits & PacketBits::icmp_error)
    look_into_quotation(headers);
  return outcome;
}

} // namespace orbweaver
