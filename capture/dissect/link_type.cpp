// SPDX-License-Identifier: GPL-3.0-or-later
#include "capture/dissect/link_type.hpp"

#include <pcap/pcap.h>

namespace orbweaver {

std::optional<LinkType> link_type_of(std::uint32_t number) noexcept {
  switch (number) {
  case 0:
    return LinkType::null;
  case 1:
    return LinkType::ethernet;
  case 9:
    return LinkType::ppp;
  case 12:  // DLT_RAW nearly everywhere
  case 14:  // DLT_RAW on OpenBSD
  case 101: // LINKTYPE_RAW
  case 228: // IPv4 only
  case 229: // IPv6 only
    return LinkType::raw_ip;
  case 50:
    return LinkType::ppp_serial;
  case 51:
    return LinkType::ppp_ether;
  case 108:
    return LinkType::loop;
  case 113:
    return LinkType::linux_sll;
  case 276:
    return LinkType::linux_sll2;
  default:
    return std::nullopt;
  }
}

int dlt_of(LinkType link) noexcept {
  switch (link) {
  case LinkType::ethernet:
    return DLT_EN10MB;
  case LinkType::raw_ip:
    return DLT_RAW;
  case LinkType::linux_sll:
    return DLT_LINUX_SLL;
  case LinkType::linux_sll2:
    return DLT_LINUX_SLL2;
  case LinkType::null:
    return DLT_NULL;
  case LinkType::loop:
    return DLT_LOOP;
  case LinkType::ppp:
    return DLT_PPP;
  case LinkType::ppp_serial:
    return DLT_PPP_SERIAL;
  case LinkType::ppp_ether:
    return DLT_PPP_ETHER;
  }
  return DLT_EN10MB;
}

std::string describe_link_type(std::uint32_t number) {
  const char* name = pcap_datalink_val_to_name(static_cast<int>(number));
  return name == nullptr ? std::to_string(number) : std::to_string(number) + " (" + name + ")";
}

} // namespace orbweaver
