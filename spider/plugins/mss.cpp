// SPDX-License-Identifier: GPL-3.0-or-later
// mss — which maximum segment size (RFC 9293, 3.7.1) does each side announce, and does the path change it?
#include "spider/plugins/library.hpp"

namespace orbweaver::plugins {

namespace {

class Mss final : public Plugin {
public:
  [[nodiscard]] unsigned connections() const override { return 1; }
};

} // namespace

PluginEntry mss() {
  PluginDescription description;
  description.name = "mss";
  description.summary = "TCP maximum segment size: announced and received";
  description.version = "1.0.0";
  description.model = Model::single;
  description.chains = {"basic", "tcp", "mss", "delivery"};
  description.connect_kinds = {"tcp", "http", "https", "dnstcp"};
  return {description, []() -> std::unique_ptr<Plugin> { return std::make_unique<Mss>(); }};
}

} // namespace orbweaver::plugins
