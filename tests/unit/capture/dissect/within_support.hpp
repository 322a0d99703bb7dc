// SPDX-License-Identifier: GPL-3.0-or-later
// What the tests of tunnels and of extended keys share.
#pragma once

#include "capture/dissect/flow_hash.hpp"
#include "capture/dissect/frame_dissector.hpp"
#include "common/stream/records/flow_key.hpp"
#include "tests/unit/capture/dissect/dissect_support.hpp"

#include <doctest/doctest.h>

namespace orbweaver::test {

/// A frame's packet, out of its tunnels; all blocks, and the key that was asked for.
struct Within {
  std::shared_ptr<std::uint8_t[]> octets;
  FrameDissector dissector;
  Outcome outcome;
  std::vector<std::uint64_t> words;

  explicit Within(const craft::Bytes& bytes, std::string_view taken = "all", std::string_view key = "five-tuple",
                  const FrameOptions& options = {})
      : dissector(Need::all | parse_flow_key(key), TunnelSet::parse(taken)) {
    Frame frame = frame_of(bytes, options);
    octets = std::shared_ptr<std::uint8_t[]>(new std::uint8_t[frame.captured_length]);
    std::copy_n(bytes.data(), frame.captured_length, octets.get());
    frame.data = octets.get();
    outcome = dissector.dissect(frame);
    if (outcome != Outcome::packet)
      return;
    PacketDraft& draft = dissector.packet();
    words.resize(record_stride(draft.record.header.length) / 8);
    draft.copy_to(words.data());
    CHECK(packet_record_valid(reinterpret_cast<const RecordHeader*>(words.data())));
  }

  [[nodiscard]] PacketView view() const { return PacketView(reinterpret_cast<const PacketRecord*>(words.data())); }
  const PacketRecord* operator->() const { return &view().record(); }
  [[nodiscard]] std::size_t depth() { return dissector.tunnels().size(); }
  [[nodiscard]] craft::Bytes address(bool high) const {
    const std::size_t length = addresses_length(view()->key.version) / 2;
    const std::uint8_t* at = view().addresses() + (high ? length : 0);
    return {at, at + length};
  }
  [[nodiscard]] craft::Bytes source() const { return address(view().from_high()); }
  [[nodiscard]] unsigned source_port() const { return view()->key.ports[view().from_high()]; }
  [[nodiscard]] unsigned destination_port() const { return view()->key.ports[!view().from_high()]; }
  /// "vxlan:7 gre"; "-" where there is none.
  [[nodiscard]] std::string layers() const {
    std::string text;
    view().for_each_tunnel([&](const TunnelLayer& layer) {
      text.append(text.empty() ? "" : " ").append(tunnel_names[static_cast<std::size_t>(layer.kind)]);
      if (layer.has_identifier)
        text.append(":").append(std::to_string(layer.identifier));
    });
    return text.empty() ? "-" : text;
  }
  /// All of the key, as one string of octets.
  [[nodiscard]] craft::Bytes key() const {
    const auto* head = reinterpret_cast<const std::uint8_t*>(&view()->key);
    craft::Bytes all(head, head + sizeof(FlowKeyHead) + addresses_length(view()->key.version));
    craft::append(all, craft::Bytes(view().key_extension().begin(), view().key_extension().end()));
    return all;
  }
  [[nodiscard]] std::uint64_t hash() { return flow_hash(dissector.packet(), 1); }
};

} // namespace orbweaver::test
