// SPDX-License-Identifier: GPL-3.0-or-later
// dscp — does the path carry packets with a DiffServ code point (RFC 2474), and what comes back? First without a mark,
// then with each code point that was asked for, set by a rule on all TCP and UDP that leaves this machine.
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class Dscp final : public Plugin {
public:
  void configure(const PluginArguments& arguments) override { codepoints_ = arguments.values.at("codepoint"); }
  [[nodiscard]] unsigned connections() const override { return static_cast<unsigned>(codepoints_.size()) + 1; }
  [[nodiscard]] std::vector<SystemConfiguration> configurations() const override {
    std::vector<SystemConfiguration> all(1);
    for (const std::string& codepoint : codepoints_) {
      std::string body = "chain output { type route hook output priority mangle;";
      for (const char* const family : {" ip", " ip6"})
        body.append(" meta l4proto { tcp, udp }").append(family).append(" dscp set ").append(codepoint).append(";");
      all.push_back({.sysctls = {}, .nftables = body + " }"});
    }
    return all;
  }

private:
  std::vector<std::string> codepoints_;
};

} // namespace

PluginEntry dscp() {
  PluginDescription description;
  description.name = "dscp";
  description.summary = "DiffServ code points: connectivity, marks on replies";
  description.version = "1.0.0";
  description.model = Model::synchronized;
  description.chains = {"basic", "dscp", "tcp", "dns"};
  description.connect_kinds = {"http", "tcp", "dnstcp", "dnsudp"};
  const PluginOption codepoint{.name = "codepoint",
                               .help = "Code point to try; may be given several times",
                               .default_value = "48",
                               .several = true,
                               .minimum = 0,
                               .maximum = 63};
  description.options = {codepoint};
  description.changes_system = true;
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Dscp>(); }};
}

} // namespace orbweaver::plugins
