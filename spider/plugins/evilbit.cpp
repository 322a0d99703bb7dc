// SPDX-License-Identifier: GPL-3.0-or-later
// evilbit — does the path let packets through whose reserved bit is set (RFC 3514)? First clear, then set.
#include "spider/connect/forged_datagram.hpp"
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class EvilBit final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 2; }

  [[nodiscard]] std::vector<std::uint8_t> forge(const ConnectRequest& request, std::uint16_t source_port, const Job&,
                                                unsigned seq) override {
    if (request.destination.version != 4)
      return {};
    return forge_datagram(request, source_port, {.evil = seq == 1});
  }

  void post_connect(ConnectResult& result, const Job& job, const PreConnect*, unsigned) override {
    if (job.destination.version != 4)
      result.members.add("skipped", "IPv6 has no reserved bit");
  }
};

} // namespace

PluginEntry evilbit() {
  PluginDescription description;
  description.name = "evilbit";
  description.summary = "The reserved bit of the IPv4 header: connectivity, marks on replies";
  description.version = "1.0.0";
  description.model = Model::forge;
  description.chains = {"basic", "dns", "tcp", "evil"};
  description.connect_kinds = {"tcpsyn", "dnsudp"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<EvilBit>(); }};
}

} // namespace orbweaver::plugins
