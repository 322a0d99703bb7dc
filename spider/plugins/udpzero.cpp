// SPDX-License-Identifier: GPL-3.0-or-later
// udpzero — does the path let UDP datagrams through whose checksum is zero (RFC 768; RFC 6935 for IPv6)? First with the
// right one, then without.
#include "spider/connect/forged_datagram.hpp"
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class UdpZero final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 2; }

  [[nodiscard]] std::vector<std::uint8_t> forge(const ConnectRequest& request, std::uint16_t source_port, const Job&,
                                                unsigned seq) override {
    return forge_datagram(request, source_port, {.zero_udp_checksum = seq == 1});
  }
};

} // namespace

PluginEntry udpzero() {
  PluginDescription description;
  description.name = "udpzero";
  description.summary = "UDP without a checksum: connectivity";
  description.version = "1.0.0";
  description.model = Model::forge;
  description.chains = {"basic", "dns", "udp"};
  description.connect_kinds = {"dnsudp"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<UdpZero>(); }};
}

} // namespace orbweaver::plugins
