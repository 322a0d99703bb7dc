// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/links/link_type.hpp"

#include <algorithm>
#include <array>
#include <pcap/pcap.h>

namespace orbweaver {
namespace {

struct Numbered {
  std::uint32_t number;
  LinkType link;
};

/// Of a type with several numbers, that of libpcap stands first: filters are compiled for it, and captures written.
constexpr std::array numbers{
    Numbered{DLT_NULL, LinkType::null},
    Numbered{DLT_EN10MB, LinkType::ethernet},
    Numbered{DLT_SLIP, LinkType::slip},
    Numbered{DLT_PPP, LinkType::ppp},
    Numbered{DLT_RAW, LinkType::raw_ip}, // 12 nearly everywhere
    Numbered{14, LinkType::raw_ip},      // DLT_RAW on OpenBSD
    Numbered{101, LinkType::raw_ip},     // LINKTYPE_RAW
    Numbered{DLT_IPV4, LinkType::raw_ip},
    Numbered{DLT_IPV6, LinkType::raw_ip},
    Numbered{17, LinkType::old_pflog},
    Numbered{DLT_PPP_SERIAL, LinkType::ppp_serial},
    Numbered{DLT_PPP_ETHER, LinkType::ppp_ether},
    Numbered{DLT_ATM_RFC1483, LinkType::llc},
    Numbered{100, LinkType::llc}, // LINKTYPE_ATM_RFC1483
    Numbered{DLT_ATM_CLIP, LinkType::llc},
    Numbered{106, LinkType::llc}, // LINKTYPE_ATM_CLIP
    Numbered{DLT_C_HDLC, LinkType::cisco_hdlc},
    Numbered{DLT_IEEE802_11, LinkType::ieee802_11},
    Numbered{DLT_FRELAY, LinkType::frame_relay},
    Numbered{DLT_LOOP, LinkType::loop},
    Numbered{DLT_ENC, LinkType::enc},
    Numbered{DLT_LINUX_SLL, LinkType::linux_sll},
    Numbered{DLT_PFLOG, LinkType::pflog},
    Numbered{DLT_PRISM_HEADER, LinkType::prism},
    Numbered{DLT_IEEE802_11_RADIO, LinkType::radiotap},
    Numbered{DLT_JUNIPER_ATM2, LinkType::juniper_atm2},
    Numbered{DLT_JUNIPER_SERVICES, LinkType::juniper_service},
    Numbered{DLT_JUNIPER_MONITOR, LinkType::juniper_service},
    Numbered{DLT_JUNIPER_ATM1, LinkType::juniper_atm1},
    Numbered{DLT_IEEE802_11_RADIO_AVS, LinkType::avs},
    Numbered{DLT_PPP_PPPD, LinkType::ppp_with_direction},
    Numbered{DLT_PPP_WITH_DIR, LinkType::ppp_with_direction},
    Numbered{DLT_JUNIPER_ETHER, LinkType::juniper_ether},
    Numbered{DLT_JUNIPER_PPPOE, LinkType::juniper_ether},
    Numbered{DLT_JUNIPER_PPP, LinkType::juniper_ppp},
    Numbered{DLT_JUNIPER_FRELAY, LinkType::juniper_relay},
    Numbered{DLT_JUNIPER_CHDLC, LinkType::juniper_hdlc},
    Numbered{DLT_PPI, LinkType::ppi},
    Numbered{DLT_C_HDLC_WITH_DIR, LinkType::hdlc_direction},
    Numbered{DLT_FRELAY_WITH_DIR, LinkType::relay_direction},
    Numbered{DLT_MPLS, LinkType::mpls},
    Numbered{DLT_NFLOG, LinkType::nflog},
    Numbered{DLT_NETANALYZER, LinkType::net_analyzer},
    Numbered{DLT_PKTAP, LinkType::pktap},
    Numbered{DLT_LINUX_SLL2, LinkType::linux_sll2},
};

} // namespace

std::optional<LinkType> link_type_of(std::uint32_t number) noexcept {
  const auto* const found = std::ranges::find(numbers, number, &Numbered::number);
  return found == numbers.end() ? std::nullopt : std::optional(found->link);
}

int dlt_of(LinkType link) noexcept {
  return static_cast<int>(std::ranges::find(numbers, link, &Numbered::link)->number);
}

std::string describe_link_type(std::uint32_t number) {
  const char* name = pcap_datalink_val_to_name(static_cast<int>(number));
  return name == nullptr ? std::to_string(number) : std::to_string(number) + " (" + name + ")";
}

} // namespace orbweaver
