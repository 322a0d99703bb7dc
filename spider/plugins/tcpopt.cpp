// SPDX-License-Identifier: GPL-3.0-or-later
// tcpopt — does the path let TCP options be negotiated? None of three first, then timestamps and window scaling
// (RFC 7323) and selective acknowledgements (RFC 2018), each alone.
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class Tcpopt final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 4; }
  [[nodiscard]] std::vector<SystemConfiguration> configurations() const override {
    const auto with = [](const char* timestamps, const char* window_scaling, const char* sack) {
      return SystemConfiguration{.sysctls = {{"net.ipv4.tcp_timestamps", timestamps},
                                             {"net.ipv4.tcp_window_scaling", window_scaling},
                                             {"net.ipv4.tcp_sack", sack}}};
    };
    return {with("0", "0", "0"), with("1", "0", "0"), with("0", "1", "0"), with("0", "0", "1")};
  }
};

} // namespace

PluginEntry tcpopt() {
  PluginDescription description;
  description.name = "tcpopt";
  description.summary = "TCP timestamps, window scaling, SACK: connectivity, negotiation";
  description.version = "1.0.0";
  description.model = Model::synchronized;
  description.chains = {"basic", "tcp", "tcpopt", "delivery"};
  description.connect_kinds = {"http", "https", "tcp", "dnstcp"};
  description.changes_system = true;
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Tcpopt>(); }};
}

} // namespace orbweaver::plugins
