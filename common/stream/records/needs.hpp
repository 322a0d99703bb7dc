// SPDX-License-Identifier: GPL-3.0-or-later
// What chains need of packets beyond the fields that all records have: each bit is a block or a kind of payload that
// travels only where somebody asks for it (packet_record.hpp). A chain says its needs, a packet stream's header holds
// the union of what was asked, and programs tell one another by name: `--needs vlan-tags,dns`.
#pragma once

#include "common/stream/records/payload_kinds.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace orbweaver {

/// Bits. 0x04 and what is above 0xffff are left to payload_kinds.
namespace Need {
inline constexpr std::uint32_t none = 0;
inline constexpr std::uint32_t tcp_options = 0x01;    ///< the TCP options of segments with SYN
inline constexpr std::uint32_t icmp_quotation = 0x02; ///< what follows the first 8 octets of an ICMP error
inline constexpr std::uint32_t all_tcp_options = 0x08 | tcp_options; ///< the TCP options of every segment
inline constexpr std::uint32_t vlan_tags = 0x10;                     ///< VLAN tags
inline constexpr std::uint32_t ethernet = 0x20;                      ///< MAC addresses and EtherType
inline constexpr std::uint32_t flow_label = 0x40;                    ///< IPv6's flow label
inline constexpr std::uint32_t icmp_sender = 0x80;                   ///< the address that an ICMP error came from
inline constexpr std::uint32_t tunnels = 0x100;                      ///< what the packet was carried in

// What users want the flow key to have, and no chain asks for (flow_key.hpp).
inline constexpr std::uint32_t key_icmp_id = 0x2000;
inline constexpr std::uint32_t key_vlan = 0x4000;
inline constexpr std::uint32_t key_tunnel = 0x8000;
inline constexpr std::uint32_t key_extension = key_vlan | key_tunnel; ///< keys that are longer than others
inline constexpr std::uint32_t longer_keys = key_extension | key_icmp_id;

/// A kind of payload: `Need::payload("dns")`.
consteval std::uint32_t payload(PayloadName kind) {
  return kind.kind().need;
}
/// Every kind of payload.
inline constexpr std::uint32_t payloads = [] {
  std::uint32_t bits = 0;
  for (const PayloadKind& kind : payload_kinds)
    bits |= kind.need;
  return bits;
}();
} // namespace Need

struct NeedName {
  std::uint32_t bits;     ///< Need; its highest bit is its own, the others are what it includes
  std::string_view name;  ///< lower-case letters and dashes
  std::string_view words; ///< in a message to people
};

/// Every need, the payloads last.
inline constexpr auto need_names = [] {
  constexpr std::array others{
      NeedName{Need::tcp_options, "tcp-options", "TCP options of SYNs"},
      NeedName{Need::icmp_quotation, "icmp-quotation", "ICMP quotations"},
      NeedName{Need::all_tcp_options, "all-tcp-options", "TCP options of all segments"},
      NeedName{Need::vlan_tags, "vlan-tags", "VLAN tags"},
      NeedName{Need::ethernet, "ethernet", "MAC addresses"},
      NeedName{Need::flow_label, "flow-label", "IPv6 flow labels"},
      NeedName{Need::icmp_sender, "icmp-sender", "senders of ICMP errors"},
      NeedName{Need::tunnels, "tunnels", "tunnel layers"},
  };
  std::array<NeedName, others.size() + payload_kinds.size()> names{};
  std::size_t count = 0;
  for (const NeedName& other : others)
    names[count++] = other;
  for (const PayloadKind& kind : payload_kinds)
    names[count++] = {kind.need, kind.name, kind.words};
  return names;
}();

namespace Need {
inline constexpr std::uint32_t all = [] {
  std::uint32_t bits = 0;
  for (const NeedName& need : need_names)
    bits |= need.bits;
  return bits;
}();
} // namespace Need

static_assert(
    [] {
      std::uint32_t taken = 0;
      for (const NeedName& need : need_names) {
        if (need.bits == 0 || (taken & std::bit_floor(need.bits)))
          return false;
        taken |= std::bit_floor(need.bits);
      }
      return taken == Need::all && !(taken & Need::longer_keys);
    }(),
    "each need has a bit of its own");

/// The names of needs as `--needs` takes them: "tcp-options,dns"; "none" where there are none.
[[nodiscard]] std::string needs_text(std::uint32_t needs);

/// The same for people: "TCP options of SYNs, DNS responses"; empty where there are none.
[[nodiscard]] std::string needs_in_words(std::uint32_t needs);

/// Reads what needs_text() writes, or "all". Throws UsageError for a name that is no need's.
[[nodiscard]] std::uint32_t parse_needs(std::string_view text);

} // namespace orbweaver
