// SPDX-License-Identifier: GPL-3.0-or-later
// ecn — does the path let ECN be negotiated (RFC 3168, 6.1.1)? First without asking for it, then asking.
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class Ecn final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 2; }
  [[nodiscard]] std::vector<SystemConfiguration> configurations() const override {
    // 2: the kernel accepts ECN where it is asked for, and asks for none itself. Where its SYN with ECN is lost, no
    // other without follows: a path that drops such SYNs would look like one that strips them.
    return {{.sysctls = {{"net.ipv4.tcp_ecn", "2"}}},
            {.sysctls = {{"net.ipv4.tcp_ecn", "1"}, {"net.ipv4.tcp_ecn_fallback", "0"}}}};
  }
};

} // namespace

PluginEntry ecn() {
  PluginDescription description;
  description.name = "ecn";
  description.summary = "Explicit Congestion Notification: connectivity, negotiation, marks";
  description.version = "1.0.0";
  description.model = Model::synchronized;
  description.chains = {"basic", "tcp", "ecn", "delivery"};
  description.connect_kinds = {"http", "https", "tcp", "dnstcp"};
  description.changes_system = true;
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Ecn>(); }};
}

} // namespace orbweaver::plugins
